"""Follows a log over its seal to the log that continues it, and says where the two do not fit."""

from dataclasses import dataclass

from bot.crypto import merkle
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, VerifierKey
from bot.domain.errors import ConfigurationError
from bot.ports.monitor import MonitorState, Position, RemoteLog, StoredFinding
from bot.transparency.growth import Growth, compare, parse_head
from bot.transparency.lineage import Lineage, Seal, parse_seals


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of a look's beginning.

    Attributes:
        lineage: of the log that is followed.
        findings: what is wrong with the seals, or to be known about them.
        may_go_on: whether its heads may be looked at.
    """

    lineage: Lineage
    findings: tuple[StoredFinding, ...] = ()
    may_go_on: bool = True


class Succession:
    """Finds the present log of one that was asked for.

    Args:
        asked: the log's key, which the monitor was given.
        remote: where it, or the log that continues it, is served.
        state: what was seen.
    """

    def __init__(self, *, asked: VerifierKey, remote: RemoteLog, state: MonitorState) -> None:
        self._asked = asked
        self._remote = remote
        self._state = state

    async def known(self) -> Lineage:
        """Return the log that is followed, as far as the memory knows.

        Raises:
            ConfigurationError: the memory is of another log.
        """
        async with self._state.transaction() as tx:
            envelopes = list(await tx.seals())
            position = await tx.position()
        seals = parse_seals(b"[%b]" % b",".join(envelopes))
        lineage = Lineage(seals[-1].statement.successor if seals else self._asked, seals)
        error: Exception | None = None
        try:
            if position is not None:
                parse_head(position.head, lineage.log)
        except (FormatError, MismatchError) as wrong:
            error = wrong
        if error is not None or not lineage.holds(self._asked):
            reason = error or "the log that was asked for is none of those in it"
            raise ConfigurationError(
                f"The monitor's state is of another log ({reason}): choose another file with "
                "--state, or the right key with --key."
            ) from error
        return lineage

    async def follow(self, note: str) -> Followed:
        """Go over to the log that signed a head, if true seals lead to it."""
        before = await self.known()
        data = await self._remote.seals()
        try:
            seals = () if data is None else parse_seals(data)
        except (FormatError, MismatchError) as error:
            sentence = f"The log's seals are not right: {error}."
            wrong = StoredFinding(
                "bad-seal", sentence, evidence=(data or b"").decode("ascii", "replace")
            )
            return Followed(before, (wrong,), may_go_on=_is_of(note, before.log))
        after = Lineage(seals[-1].statement.successor, seals) if seals else before
        second = _second_seal(before, after)
        if second is not None:
            return Followed(before, (second,), may_go_on=_is_of(note, before.log))
        if (
            after.seals == before.seals
            or not _is_of(note, after.log)
            or not after.holds(before.log)
        ):
            return Followed(before)  # a head that nobody known has signed is named further on
        findings = await self._go_over(before, after, note)
        is_joined = all(one.kind == "sealed" for one in findings)
        return Followed(after if is_joined else before, findings, may_go_on=is_joined)

    async def _go_over(
        self, before: Lineage, after: Lineage, note: str
    ) -> tuple[StoredFinding, ...]:
        """Keep a log that continues the one before, from its first leaf on; say if it does not."""
        async with self._state.transaction() as tx:
            position = await tx.position()
        seal = after.seal_of(before.log)
        told: tuple[StoredFinding, ...] = ()
        if position is not None and seal is not None:
            wrong = await self._compare(position, seal, parse_head(note, after.log))
            if wrong is not None:
                return (wrong,)
            told = (_describe(seal, after.log, position),)
        async with self._state.transaction() as tx:
            await tx.start_over([one.data for one in after.seals])
            await tx.move(Position(note, 0, ()))
        return told

    async def _compare(
        self, position: Position, seal: Seal, head: Checkpoint
    ) -> StoredFinding | None:
        """Check a seal against what was seen of the sealed log, and what the other log kept."""
        last = parse_head(position.head, seal.statement.log)
        evidence = position.head + "\n" + seal.data.decode()
        if seal.contradicts(last):
            sentence = (
                f"The log has two histories: its seal says that it had no other head than the one "
                f"of {seal.statement.size} leaves and those below, and with the same key it signed "
                f"one of {last.size} leaves with root {last.root.hex()[:16]}…. The seal and the "
                "head are kept as evidence."
            )
            return StoredFinding("fork", sentence, evidence=evidence)
        kept = seal.statement.kept
        joined = last
        if last.size > kept:
            size = min(position.size, kept)
            async with self._state.transaction() as tx:
                nodes = await tx.nodes(merkle.frontier_nodes(size))
            joined = Checkpoint(last.origin, size, merkle.root_from_nodes(size, nodes))
        growth = await compare(self._remote, joined, head)
        if growth is Growth.EXTENDS:
            return None
        sentence = (
            f"The log {head.origin} says that it continues {last.origin} with its first {kept} "
            f"leaves, and does not show that it holds the first {joined.size} of them. The seal "
            "and the head that was seen before are kept as evidence."
        )
        kind = "fork" if growth is Growth.FORKS else "unproven"
        return StoredFinding(kind, sentence, evidence=evidence)


def _is_of(note: str, log: VerifierKey) -> bool:
    try:
        parse_head(note, log)
    except (FormatError, MismatchError):
        return False
    return True


def _second_seal(before: Lineage, after: Lineage) -> StoredFinding | None:
    """Return what is wrong if a log that was sealed is sealed in another way, or not any more."""
    for known in before.seals:
        other = after.seal_of(known.statement.log)
        if other is None or other.digest != known.digest:
            shown = "shows another one now" if other else "does not show it any more"
            sentence = (
                f"The log {known.statement.log.name} was sealed once, and its successor {shown}: "
                "a log is sealed once. What it signed is kept as evidence."
            )
            evidence = known.data.decode() + (f"\n{other.data.decode()}" if other else "")
            return StoredFinding("fork", sentence, evidence=evidence)
    return None


def _describe(seal: Seal, successor: VerifierKey, position: Position) -> StoredFinding:
    said = seal.statement
    lost = max(0, position.size - said.kept)
    gone = f" {lost} leaves that it had shown are not part of it." if lost else ""
    sentence = (
        f"The log {said.log.name} was sealed at {said.size} leaves and is continued by "
        f"{successor.name}, which holds its first {said.kept}.{gone}"
    )
    return StoredFinding("sealed", sentence, evidence=seal.data.decode())
