"""What an auditor does with the world: a key, the head of a log, verdicts sent and fetched."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bot.crypto.dsse import encode_envelope, parse_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.domain.errors import TransientError, UserError, VerificationError
from bot.domain.witnesses import WitnessPolicy
from bot.receipts.audited import open_statement
from bot.receipts.link import ProofLink
from bot.receipts.verify import VerifiedReceipt
from bot.transparency.growth import Growth, compare, describe, parse_head

LOG_STEP = 8
MAX_NOTE_BYTES = 65_536
MAX_FILE_BYTES = 64 * 1024 * 1024
_REMOTE = ("http://", "https://")


def make_key(path: Path) -> str:
    """Make an auditor's key file; return the public key in hexadecimal.

    Raises:
        UserError: the file is there already.
        ConfigurationError: it can't be written.
    """
    from adapters.files.auditor_key import make_auditor_key

    return public_key_of(make_auditor_key(path)).hex()


def open_key(path: Path) -> bytes:
    """Return an auditor's private key.

    Raises:
        ConfigurationError: the file can't be used.
    """
    from adapters.files.auditor_key import read_auditor_key

    return read_auditor_key(path)


def log_of(link: ProofLink) -> str | None:
    """Return where the log of a link's host is served; None for a file."""
    if not link.is_remote:
        return None
    return f"{link.location.rpartition('/r/')[0]}/log"


@dataclass(frozen=True, slots=True)
class OpenHead:
    """A signed head by which a sample is drawn.

    Attributes:
        checkpoint: what the log has signed.
        prefix: where the log is served; None where nothing but the head is known.
    """

    checkpoint: Checkpoint
    prefix: str | None


async def open_head(
    place: str, *, log: VerifierKey, prefix: str | None, witnesses: WitnessPolicy | None
) -> OpenHead:
    """Read a head from a log's address or from a file.

    Args:
        place: of the log, or of a file with a checkpoint.
        log: the key that must have signed it.
        prefix: where the log is served, if a file is named.
        witnesses: whose cosignatures it must have; None where no policy was given.

    Raises:
        UserError: there is no such head.
        VerificationError: step 8, a cosignature is false.
        TransientError: the log can't be reached, or its head is not cosigned yet.
    """
    is_remote = place.lower().startswith(_REMOTE)
    note = await (_fetch_head(place) if is_remote else asyncio.to_thread(_read_head, Path(place)))
    try:
        head = parse_head(note, log)
    except (FormatError, MismatchError) as error:
        raise UserError(
            f"This is no signed head of the log {log.name}, in which the replies stand: {error}."
        ) from error
    cosigned = None if witnesses is None else witnesses.count(open_note(note, log))
    if cosigned is not None and cosigned.false:
        raise VerificationError(LOG_STEP, cosigned.false[0])
    if cosigned is not None and not cosigned.is_met:
        raise TransientError(
            f"{len(cosigned.cosignatures)} of your witnesses have cosigned the head of {head.size} "
            f"leaves, and your policy asks for {cosigned.needed}: wait for a later head that they "
            "have cosigned, and try again."
        )
    return OpenHead(head, place if is_remote else prefix)


async def check_under(head: OpenHead, receipts: Sequence[VerifiedReceipt]) -> None:
    """Check that every reply stands under a head, and was logged before its last leaf.

    Raises:
        VerificationError: step 8, the log has signed two histories.
        TransientError: the head is too old for one of them, or the log does not serve its tiles.
        UserError: nothing shows that they stand under it.
    """
    size = head.checkpoint.size
    late = [one for one in receipts if one.logged.index >= size - 1]
    if late:
        raise TransientError(
            f"The head has {size} leaves, and {len(late)} of the replies were logged at its end or "
            "after it. A sample is drawn by a head that is newer than all of them, so that nobody "
            "who logs a reply can know it: wait for a later head, and try again."
        )
    apart = [one for one in receipts if one.checkpoint != head.checkpoint]
    if not apart:
        return
    if head.prefix is None:
        raise UserError(
            f"{len(apart)} of the proofs lead to another head than the one in the file, and "
            "nothing here shows that both are of one history: give the log's address as --log."
        )
    heads = {one.checkpoint for one in apart}
    await _join(head.checkpoint, head.prefix, sorted(heads, key=lambda one: one.size))


async def _join(head: Checkpoint, prefix: str, others: Sequence[Checkpoint]) -> None:
    """Check that the heads which the proofs lead to are of the history of the sample's head."""
    from adapters.web.log_client import HttpLog, open_session

    async with open_session() as session:
        remote = HttpLog(session, prefix)
        for other in others:
            old, new = sorted((other, head), key=lambda one: one.size)
            growth = await compare(remote, old, new)
            if growth is Growth.FORKS:
                raise VerificationError(LOG_STEP, describe(growth, old, new)[1])
            if growth is Growth.UNPROVEN:
                raise TransientError(
                    f"The log at {prefix} does not show that its heads of {old.size} and "
                    f"{new.size} leaves are of one history: {growth.value}. Try again."
                )


@dataclass(frozen=True, slots=True)
class Sent:
    """What a log made of one statement: a receipt's hash, and a sentence."""

    receipt: bytes
    sentence: str
    is_taken: bool


async def send_all(path: Path, prefix: str) -> list[Sent]:
    """Send a file of signed verdicts to a log, one after the other.

    Raises:
        UserError: the file holds something else.
        TransientError: the log can't be reached; what was sent until then stands.
    """
    from adapters.web.log_client import open_session
    from adapters.web.verdict_client import send_verdict

    if not prefix.lower().startswith(_REMOTE):
        raise UserError("The address of a log begins with http:// or https://.")
    statements = await asyncio.to_thread(_read_statements, path)
    found = []
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session())
        for receipt, data in statements:
            try:
                sent = await send_verdict(session, prefix, data)
            except UserError as error:
                found.append(Sent(receipt, str(error), is_taken=False))
                continue
            word = "taken" if sent.is_new else "stood there before"
            found.append(Sent(receipt, f"{word}, leaf {sent.leaf}", is_taken=True))
    return found


async def fetch_verdicts_of(link: ProofLink) -> bytes | None:
    """Return what the host of a link serves as the reply's verdicts; None where it serves none.

    Raises:
        TransientError: it can't be reached.
    """
    from adapters.web.verdict_client import fetch_verdicts

    return await fetch_verdicts(f"{link.location.removesuffix('.json')}.verdicts")


async def _fetch_head(prefix: str) -> str:
    from adapters.web.log_client import HttpLog, open_session

    async with open_session() as session:
        note = await HttpLog(session, prefix).checkpoint()
    if note is None:
        raise TransientError(f"The log at {prefix} has no signed head yet: try again later.")
    return note


def _read_head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_NOTE_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise UserError(
            f"The head {path} can't be read: {error.strerror}. Name a file with a checkpoint, or "
            "the address of a log."
        ) from error


def _read_statements(path: Path) -> list[tuple[bytes, bytes]]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise UserError(f"The verdicts {path} can't be read: {error.strerror}.") from error
    found = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            envelope = parse_envelope(line)
            found.append((open_statement(envelope).receipt, encode_envelope(envelope)))
        except (FormatError, MismatchError) as error:
            raise UserError(f"Line {number} of {path} is no signed verdict: {error}.") from error
    if not found:
        raise UserError(f"{path} holds no verdicts.")
    return found
