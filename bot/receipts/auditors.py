"""Auditors' verdicts into the log: who may, on which replies, and what is served of them."""

from collections.abc import Collection

from bot.crypto.dsse import Envelope, encode_envelope, parse_envelope
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.crypto.tlog_proof import format_proof
from bot.domain.errors import UserError
from bot.domain.ids import receipt_tag_of
from bot.domain.statements import VerdictStatement
from bot.ports.stores import Store, StoredReply, StoreTransaction
from bot.ports.transparency import PublicLog
from bot.ports.verdicts import StoredVerdict, TakenVerdict, VerdictDesk
from bot.receipts.audited import LoggedVerdict, encode_verdicts, leaf_of, open_statement
from bot.receipts.bundle import LogProof
from bot.receipts.log import append_leaf, prove_inclusion, tree_root

MAX_STATEMENT_BYTES = 4096


class AuditorsDesk(VerdictDesk):
    """Takes verdicts of the auditors that the operator names; which ones it takes says nothing.

    A leaf and the statement that it cites are one transaction.

    Args:
        store: of replies and log.
        log: the log's key.
        auditors: public keys, 32 bytes each.
        public: which head is shown.
    """

    def __init__(
        self, *, store: Store, log: VerifierKey, auditors: Collection[bytes], public: PublicLog
    ) -> None:
        self._store = store
        self._log = log
        self._auditors = frozenset(auditors)
        self._public = public

    async def submit(self, statement: bytes) -> TakenVerdict:
        """Log an auditor's signed statement; a second time changes nothing."""
        envelope, said = self._read(statement)
        async with self._store.transaction() as tx:
            for known in await tx.verdicts_of(said.receipt):
                if known.auditor == envelope.key:
                    return _again(known, envelope)
            reply = await tx.find_tagged(said.receipt)
            if reply is None:
                raise UserError("This log holds no reply with the receipt that the verdict names.")
            await self._check_sample(tx, said, reply)
            index = await append_leaf(tx, leaf_of(envelope, said).encode())
            stored = StoredVerdict(index, said.receipt, envelope.key, encode_envelope(envelope))
            await tx.add_verdict(stored)
        return TakenVerdict(index, is_new=True)

    async def verdicts(self, receipt_id: str) -> bytes | None:
        """Return a receipt's verdicts with their proofs; one that no head covers yet is left out.

        They stay when the reply was forgotten: they hold nothing of it.
        """
        async with self._store.reading() as tx:
            reply = await tx.find_reply(receipt_id)
            if reply is None:
                return None
            stored = await tx.verdicts_of(receipt_tag_of(reply.receipt_hash))
        note = None
        if stored:
            newest = await self._public.head_for(stored[-1].log_index)
            note = newest or await self._public.head_for(reply.log_index)
        if note is None:
            return encode_verdicts(reply.receipt_hash, [])
        size = Checkpoint.parse(open_note(note, self._log).text).size
        async with self._store.reading() as tx:
            covered = [await _prove(tx, one, size, note) for one in stored if one.log_index < size]
        return encode_verdicts(reply.receipt_hash, covered)

    def _read(self, data: bytes) -> tuple[Envelope, VerdictStatement]:
        if len(data) > MAX_STATEMENT_BYTES:
            raise UserError(f"A verdict statement has at most {MAX_STATEMENT_BYTES} bytes.")
        try:
            envelope = parse_envelope(data)
            if envelope.key not in self._auditors:
                raise UserError(
                    "This log takes no verdicts of this key: ask its operator to name it in "
                    "[log] auditors."
                )
            return envelope, open_statement(envelope)
        except (FormatError, MismatchError) as error:
            raise UserError(f"This is no signed verdict: {error}.") from error

    async def _check_sample(
        self, tx: StoreTransaction, said: VerdictStatement, reply: StoredReply
    ) -> None:
        """Refuse a verdict that no sample of this log can have led to."""
        sample = said.sample
        if sample.log != self._log.name:
            raise UserError(
                f"The sample was drawn by a head of the log {sample.log}, and this one is "
                f"{self._log.name}."
            )
        known = sample.size <= await tx.log_size()
        if not known or await tree_root(tx, sample.size) != sample.root:
            raise UserError("The sample was drawn by a head that this log has not.")
        if not reply.log_index < sample.size - 1:
            raise UserError("The reply is not below the head that the sample was drawn by.")
        if not sample.holds(said.receipt):
            raise UserError("The reply does not belong to the sample that the verdict names.")


def _again(known: StoredVerdict, envelope: Envelope) -> TakenVerdict:
    if parse_envelope(known.envelope).digest != envelope.digest:
        raise UserError("This auditor's verdict on this reply stands in the log: there is one.")
    return TakenVerdict(known.log_index, is_new=False)


async def _prove(
    tx: StoreTransaction, stored: StoredVerdict, size: int, note: str
) -> LoggedVerdict:
    inclusion = await prove_inclusion(tx, index=stored.log_index, size=size)
    proof = format_proof(stored.log_index, inclusion, note)
    place = LogProof(await tx.log_leaf(stored.log_index), proof)
    return LoggedVerdict(parse_envelope(stored.envelope), place)
