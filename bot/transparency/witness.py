"""A witness: cosigns a head only if it extends the one before (c2sp.org/tlog-witness).

The one thing that it must never do is to sign two heads of one log that are not consistent. So the
new head is durable in the place of the old one (`WitnessState.advance`, the only commit point)
before anything is signed. Killed before that, it has promised nothing; killed after it, it knows
the head that it may have signed, and signs the same one again when it is asked again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping

import structlog

from bot.crypto import merkle
from bot.crypto.add_checkpoint import Submission, parse_submission
from bot.crypto.cosignature import WitnessKey, cosign
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.hashing import sha256
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.ports.clock import Clock
from bot.ports.transparency import WitnessAnswer
from bot.ports.witness import Conflict, SeenHead, WitnessDesk, WitnessState

OK, BAD_REQUEST, UNTRUSTED, UNKNOWN, CONFLICT, UNPROVEN = 200, 400, 403, 404, 409, 422
_log = structlog.get_logger("witness")


class _RefusedError(Exception):
    """A request that gets no cosignature."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.answer = WitnessAnswer(status, f"{body}\n".encode())


class Witness(WitnessDesk):
    """Cosigns heads of the logs that it was told of.

    Args:
        name: of the witness, as in its vkey.
        private_key: Ed25519 seed, 32 bytes; used for cosignatures only.
        logs: the logs' keys by origin.
        state: what it must not forget; held by this process alone.
        clock: the time that cosignatures carry.
    """

    def __init__(
        self,
        *,
        name: str,
        private_key: bytes,
        logs: Mapping[str, VerifierKey],
        state: WitnessState,
        clock: Clock,
    ) -> None:
        self._key = WitnessKey(name, public_key_of(private_key))
        self._private_key = private_key
        self._logs = logs
        self._state = state
        self._clock = clock
        # One request of an origin at a time: a cosignature says that its head is the largest one
        # known at its time.
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def introduction(self) -> str:
        """Return who this witness is and what it watches."""
        logs = "".join(f"  {key.encode()}\n" for key in self._logs.values())
        return f"Witness {self._key.encode()}\nWatches these logs:\n{logs}"

    async def head(self, origin_hash: bytes) -> str | None:
        """Return the newest head that was promised for an origin, as the log signed it.

        Whoever runs the log needs it when their database was lost: the seal names it.
        """
        for origin in self._logs:
            if sha256(origin.encode()) == origin_hash:
                seen = await self._state.latest(origin)
                return None if seen is None else seen.note
        return None

    async def add_checkpoint(self, body: bytes) -> WitnessAnswer:
        """Answer a request.

        Raises:
            StoreBusyError: the state can't be written now; nothing was signed.
        """
        try:
            submission, log, offered = self._open(body)
            async with self._turns[log.name]:
                return await self._judge(submission, offered)
        except _RefusedError as refused:
            _log.info("witness.refused", status=refused.answer.status, reason=str(refused))
            return refused.answer

    def _open(self, body: bytes) -> tuple[Submission, VerifierKey, Checkpoint]:
        """Parse a request and check the log's signature."""
        try:
            submission = parse_submission(body)
        except FormatError as error:
            raise _RefusedError(BAD_REQUEST, f"The request can't be read: {error}.") from error
        log = self._logs.get(submission.note.partition("\n")[0])
        if log is None:
            raise _RefusedError(UNKNOWN, "This witness does not watch that log.")
        try:
            offered = Checkpoint.parse(open_note(submission.note, log).text)
        except FormatError as error:
            raise _RefusedError(BAD_REQUEST, f"The checkpoint can't be read: {error}.") from error
        except MismatchError as error:
            raise _RefusedError(UNTRUSTED, f"The checkpoint is not signed: {error}.") from error
        if offered.origin != log.name or submission.old > offered.size:
            raise _RefusedError(BAD_REQUEST, "The old size is above the checkpoint's.")
        return submission, log, offered

    async def _judge(self, submission: Submission, offered: Checkpoint) -> WitnessAnswer:
        seen = await self._state.latest(offered.origin)
        size = seen.size if seen else 0
        if seen and seen.size == offered.size and seen.root != offered.root:
            await self._state.keep_conflict(
                Conflict(offered.origin, size, kept=seen.note, offered=submission.note)
            )
            _log.error("witness.fork", origin=offered.origin, size=size)
            raise _RefusedError(CONFLICT, str(size))
        if submission.old != size:
            raise _RefusedError(CONFLICT, str(size))
        _check_growth(submission, offered, seen)
        promised = SeenHead(offered.size, offered.root, submission.note)
        if not await self._state.advance(offered.origin, expected=seen, new=promised):
            newest = await self._state.latest(offered.origin)
            raise _RefusedError(CONFLICT, str(newest.size if newest else 0))
        time = int(self._clock.now().timestamp())
        signed = cosign(offered.encode(), self._key.name, self._private_key, time)
        _log.info("witness.cosigned", origin=offered.origin, size=offered.size)
        return WitnessAnswer(OK, signed.line.encode())


def _check_growth(submission: Submission, offered: Checkpoint, seen: SeenHead | None) -> None:
    """Refuse a head that is not shown to extend the one before."""
    if seen is None or seen.size == 0:
        if submission.proof or (offered.size == 0 and offered.root != merkle.EMPTY_ROOT):
            raise _RefusedError(UNPROVEN, "From an empty log on, the proof is empty.")
        return
    try:
        merkle.verify_consistency(
            old=seen.size,
            new=offered.size,
            proof=submission.proof,
            old_root=seen.root,
            new_root=offered.root,
        )
    except (FormatError, MismatchError) as error:
        raise _RefusedError(UNPROVEN, f"The head is not shown to extend ours: {error}.") from error
