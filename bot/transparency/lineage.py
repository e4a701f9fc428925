"""The logs that one log continues, and the seals that join them (formats.md section 8.1).

Pure. A log whose database was restored from an old copy is sealed, and another one goes on with the
leaves that the copy has. Whoever follows a log by its key finds the present one by the seals, each
of which the sealed log has signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.crypto.canonical import parse_canonical
from bot.crypto.dsse import Envelope, encode_envelope, envelope_from_json, verify_envelope
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, VerifierKey
from bot.domain.statements import SEAL_TYPE, SealStatement

MAX_SEALS = 8


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal that the log which it seals has signed."""

    statement: SealStatement
    envelope: Envelope

    @property
    def digest(self) -> bytes:
        """What the seal's leaf cites."""
        return self.envelope.digest

    @property
    def data(self) -> bytes:
        """The envelope's canonical bytes."""
        return encode_envelope(self.envelope)

    def contradicts(self, head: Checkpoint) -> bool:
        """Return whether a head that the sealed log signed can't be, if the seal is true."""
        sealed = self.statement
        return head.size > sealed.size or (head.size == sealed.size and head.root != sealed.root)


@dataclass(frozen=True, slots=True)
class Lineage:
    """A log, and the ones that it continues.

    Attributes:
        log: the present one.
        seals: oldest first; the last one names `log` as its successor.
    """

    log: VerifierKey
    seals: tuple[Seal, ...] = ()

    def at(self, index: int) -> VerifierKey:
        """Return which log it was that took in the leaf of an index."""
        for seal in self.seals:
            if index < seal.statement.kept:
                return seal.statement.log
        return self.log

    def seal_at(self, index: int) -> Seal | None:
        """Return the seal whose leaf has to have an index."""
        return next((seal for seal in self.seals if seal.statement.kept == index), None)

    def seal_of(self, log: VerifierKey) -> Seal | None:
        """Return the seal of a log."""
        return next((seal for seal in self.seals if seal.statement.log == log), None)

    def between(self, first: VerifierKey, last: VerifierKey) -> tuple[Seal, ...]:
        """Return the seals that lead from one log to a later one; empty where none do."""
        logs = [*(seal.statement.log for seal in self.seals), self.log]
        if first not in logs or last not in logs:
            return ()
        return self.seals[logs.index(first) : logs.index(last)]

    def holds(self, log: VerifierKey) -> bool:
        """Return whether it is the present log or one of those before it."""
        return log == self.log or self.seal_of(log) is not None


def parse_seals(data: bytes) -> tuple[Seal, ...]:
    """Parse what a log serves as its seals: a canonical JSON array of envelopes.

    Raises:
        FormatError: it is not one.
        MismatchError: as `check_seals`.
    """
    value = parse_canonical(data)
    if not isinstance(value, list):
        raise FormatError("the seals are not an array")
    return check_seals([envelope_from_json(one) for one in value])


def check_seals(envelopes: Sequence[Envelope]) -> tuple[Seal, ...]:
    """Check that seals, oldest first, lead from one log to another.

    Raises:
        FormatError: there are too many, or one is no seal.
        MismatchError: one is not signed by the log that it seals, or does not follow the one
            before, or a log stands twice.
    """
    if len(envelopes) > MAX_SEALS:
        raise FormatError(f"there are more than {MAX_SEALS} seals")
    seals = [Seal(SealStatement.parse(one.payload), one) for one in envelopes]
    for seal in seals:
        key = seal.statement.log.public_key
        verify_envelope(seal.envelope, payload_type=SEAL_TYPE, key=key)
    for before, after in pairwise(seals):
        if before.statement.successor != after.statement.log:
            raise MismatchError("a seal is not of the log that the one before names as successor")
        if before.statement.kept >= after.statement.kept:
            raise MismatchError("a seal keeps less than the one before it")
    logs = [one.statement.log for one in seals] + [one.statement.successor for one in seals[-1:]]
    for known in ({one.name for one in logs}, {one.public_key for one in logs}):
        if len(known) != len(logs):
            raise MismatchError("the seals name a log twice")
    return tuple(seals)
