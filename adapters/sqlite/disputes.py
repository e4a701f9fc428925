"""The tables of disputes, and of questions about payments."""

from datetime import datetime
from typing import cast

from adapters.sqlite import rows
from adapters.sqlite.credit import text_of, time_of
from adapters.sqlite.statements import Statements
from bot.ports.credit import DisputeState
from bot.ports.disputes import StoredDispute, SupportNote
from bot.ports.people import Person

_DISPUTE = "SELECT receipt_id, account, reason, state, sentence, nano, at, decided_at FROM disputes"
_NOTE = "SELECT platform, fan, text, at FROM support_notes"


class DisputeTables(Statements):
    """The part of a transaction that keeps disputes."""

    async def add_dispute(self, dispute: StoredDispute) -> None:
        """Keep a new dispute; its receipt must have none."""
        decided = dispute.decided_at
        await self.insert(
            "disputes",
            {
                "receipt_id": dispute.receipt_id,
                "account": dispute.account,
                "reason": dispute.reason,
                "state": dispute.state.value,
                "sentence": dispute.sentence,
                "nano": dispute.nano,
                "at": text_of(dispute.at),
                "decided_at": None if decided is None else text_of(decided),
            },
        )

    async def find_dispute(self, receipt_id: str) -> StoredDispute | None:
        """Return the dispute about a reply."""
        row = await self.one(f"{_DISPUTE} WHERE receipt_id = ?", receipt_id)
        return None if row is None else _read_dispute(row)

    async def disputes_of(self, account: str) -> list[StoredDispute]:
        """Return an account's disputes, newest first."""
        found = await self.all(f"{_DISPUTE} WHERE account = ? ORDER BY position DESC", account)
        return [_read_dispute(row) for row in found]

    async def all_disputes(self) -> list[StoredDispute]:
        """Return every dispute, newest first."""
        return [_read_dispute(row) for row in await self.all(f"{_DISPUTE} ORDER BY position DESC")]

    async def open_disputes(self) -> list[StoredDispute]:
        """Return the disputes that are still checked, oldest first."""
        found = await self.all(f"{_DISPUTE} WHERE state = 'checking' ORDER BY position")
        return [_read_dispute(row) for row in found]

    async def decide_dispute(
        self, receipt_id: str, state: DisputeState, sentence: str, *, nano: int, at: datetime
    ) -> None:
        """Decide a dispute that is checked; a second time is an InvariantError."""
        await self.change_one(
            "UPDATE disputes SET state = ?, sentence = ?, nano = ?, decided_at = ? "
            "WHERE receipt_id = ? AND state = 'checking'",
            *(state.value, sentence, nano, text_of(at), receipt_id),
        )

    async def add_note(self, note: SupportNote) -> None:
        """Keep a question."""
        await self.insert(
            "support_notes",
            {
                "platform": note.person.platform,
                "fan": note.person.fan,
                "text": note.text,
                "at": text_of(note.at),
            },
        )

    async def notes(self) -> list[SupportNote]:
        """Return all questions, newest first."""
        return [_read_note(row) for row in await self.all(f"{_NOTE} ORDER BY position DESC")]

    async def notes_by(self, person: Person) -> list[SupportNote]:
        """Return a person's questions, oldest first."""
        where = "WHERE platform = ? AND fan = ? ORDER BY position"
        found = await self.all(f"{_NOTE} {where}", person.platform, person.fan)
        return [_read_note(row) for row in found]


def _read_dispute(row: rows.Row) -> StoredDispute:
    receipt_id, account, reason, state, sentence, nano, at, decided_at = row
    return StoredDispute(
        receipt_id=str(receipt_id),
        account=str(account),
        reason=str(reason),
        state=DisputeState(str(state)),
        sentence=str(sentence),
        nano=cast("int", nano),
        at=time_of(at),
        decided_at=None if decided_at is None else time_of(decided_at),
    )


def _read_note(row: rows.Row) -> SupportNote:
    platform, fan, text, at = row
    return SupportNote(Person(str(platform), str(fan)), str(text), time_of(at))
