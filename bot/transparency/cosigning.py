"""Cosignatures for our own log: each new head is offered to every configured witness.

A task of its own for each witness, beside everything else: a witness that is slow, dead, lying or
of another opinion delays no reply and no other witness. A head that was overtaken by a newer one is
not offered any more. What a witness has signed is checked before it is kept.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog

from bot.crypto import merkle
from bot.crypto.add_checkpoint import encode_submission, parse_size
from bot.crypto.cosignature import Cosignature, read_cosignature
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import VerifierKey, open_note
from bot.domain.errors import TransientError
from bot.ports.book import StoredCheckpoint
from bot.ports.clock import Clock
from bot.ports.transparency import (
    CosignatureStore,
    LogReader,
    StoredCosignature,
    WitnessPeer,
)

LOOK_EVERY_S = 1.0
MAX_WAIT_S = 300.0
CLOCK_SLACK_S = 600
_OK, _CONFLICT, _UNPROVEN = 200, 409, 422
_ROUNDS = 3  # the first, and one more after each size that the witness has told
_log = structlog.get_logger("witnesses")


class Standing(StrEnum):
    """How a witness stands to this log."""

    UNKNOWN = "not asked yet"
    COSIGNED = "cosigned"
    AWAY = "does not answer"
    REFUSES = "refuses"
    LIES = "answered with something false"
    CONTRADICTS = "has cosigned a head that is none of this log's"
    AHEAD = "has cosigned a larger head than this log has"

    @property
    def is_alarming(self) -> bool:
        """Whether this log is not what it was."""
        return self in {Standing.CONTRADICTS, Standing.AHEAD}


@dataclass(frozen=True, slots=True)
class WitnessReport:
    """What the last try gave, in a word and a sentence."""

    standing: Standing
    sentence: str = ""
    size: int = 0


class Cosigning:
    """Offers heads, and keeps cosignatures.

    Args:
        reader: of our own log.
        log: the log's key.
        witnesses: whom to ask.
        kept: where cosignatures go.
        clock: a cosignature's time must be near it.
    """

    def __init__(
        self,
        *,
        reader: LogReader,
        log: VerifierKey,
        witnesses: Sequence[WitnessPeer],
        kept: CosignatureStore,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._log = log
        self._witnesses = tuple(witnesses)
        self._kept = kept
        self._clock = clock
        self._reports = {one.key.name: WitnessReport(Standing.UNKNOWN) for one in witnesses}

    @property
    def reports(self) -> dict[str, WitnessReport]:
        """How each witness stands, by name."""
        return dict(self._reports)

    async def run(self) -> None:
        """Follow the log's heads until cancelled; nothing that a witness does ends this."""
        async with asyncio.TaskGroup() as tasks:
            for witness in self._witnesses:
                tasks.create_task(self._follow(witness))

    async def _follow(self, witness: WitnessPeer) -> None:
        wait_s = LOOK_EVERY_S
        while True:
            well = await self.offer(witness)
            wait_s = LOOK_EVERY_S if well else min(2 * wait_s, MAX_WAIT_S)
            await asyncio.sleep(wait_s)

    async def offer(self, witness: WitnessPeer) -> bool:
        """Offer the newest head to a witness, if it has not cosigned that; return if it has now."""
        try:
            heads = await self._reader.newest(1)
            if not heads:
                return True
            known = await self._kept.latest(witness.key.public_key)
            size = known.size if known else 0
            if size == heads[0].head.size:
                return True
            report = await self._ask(witness, heads[0].head, min(size, heads[0].head.size))
        except TransientError as error:
            report = WitnessReport(Standing.AWAY, str(error))
        except (FormatError, MismatchError) as error:
            report = WitnessReport(Standing.LIES, str(error))
        if report != self._reports[witness.key.name]:
            self._tell(witness, report)
        self._reports[witness.key.name] = report
        return report.standing is Standing.COSIGNED

    async def examine(self, head: StoredCheckpoint) -> dict[str, WitnessReport]:
        """Ask every witness how it stands to a head, also those that have cosigned it.

        For the start: a database that was put back from an old copy holds their old cosignatures.
        """
        await asyncio.gather(*(self._examine(one, head) for one in self._witnesses))
        return self.reports

    async def _examine(self, witness: WitnessPeer, head: StoredCheckpoint) -> None:
        try:
            report = await self._ask(witness, head, 0)
        except TransientError as error:
            report = WitnessReport(Standing.AWAY, str(error))
        except (FormatError, MismatchError) as error:
            report = WitnessReport(Standing.LIES, str(error))
        self._tell(witness, report)
        self._reports[witness.key.name] = report

    async def _ask(self, witness: WitnessPeer, head: StoredCheckpoint, old: int) -> WitnessReport:
        for _ in range(_ROUNDS):
            proof = await self._proof(old, head.size)
            answer = await witness.ask(encode_submission(old, proof, head.note))
            if answer.status == _OK:
                return await self._keep(witness, head, answer.body)
            if answer.status != _CONFLICT:
                text = answer.body[:200].decode("utf-8", "replace").strip()
                is_other = answer.status == _UNPROVEN
                standing = Standing.CONTRADICTS if is_other else Standing.REFUSES
                return WitnessReport(standing, f"{answer.status}: {text}", head.size)
            theirs = parse_size(answer.body)
            if theirs > head.size:
                sentence = f"it knows {theirs} leaves, this log has {head.size}"
                return WitnessReport(Standing.AHEAD, sentence, theirs)
            if theirs == old:
                sentence = f"its head of {theirs} leaves has another root"
                return WitnessReport(Standing.CONTRADICTS, sentence, theirs)
            old = theirs
        return WitnessReport(Standing.LIES, "it names another size each time")

    async def _proof(self, old: int, new: int) -> list[bytes]:
        if old in {0, new}:
            return []
        nodes = await self._reader.nodes(merkle.consistency_nodes(old, new))
        return merkle.consistency_from_nodes(old, new, nodes)

    async def _keep(
        self, witness: WitnessPeer, head: StoredCheckpoint, body: bytes
    ) -> WitnessReport:
        """Keep a witness's cosignature of a head, if it is one."""
        found = self._read(witness, head, body)
        if abs(found.time - self._clock.now().timestamp()) > CLOCK_SLACK_S:
            raise MismatchError("the cosignature's time is more than ten minutes from ours")
        public_key = witness.key.public_key
        await self._kept.add(StoredCosignature(public_key, head.size, found.time, found.line))
        return WitnessReport(Standing.COSIGNED, size=head.size)

    def _read(self, witness: WitnessPeer, head: StoredCheckpoint, body: bytes) -> Cosignature:
        try:
            note = open_note(head.note + body.decode(), self._log)
        except UnicodeDecodeError as error:
            raise FormatError("the answer is not UTF-8") from error
        for line in note.others:
            found = read_cosignature(note.text, line, witness.key)
            if found is not None:
                return found
        raise MismatchError(f"there is no cosignature by {witness.key.name} in the answer")

    def _tell(self, witness: WitnessPeer, report: WitnessReport) -> None:
        """Write down what has changed with a witness: loud where the log itself is in doubt."""
        if report.standing is Standing.COSIGNED:
            level = _log.debug
        else:
            level = _log.error if report.standing.is_alarming else _log.warning
        level(
            "witness.standing",
            witness=witness.key.name,
            standing=report.standing.value,
            reason=report.sentence,
            size=report.size,
        )
