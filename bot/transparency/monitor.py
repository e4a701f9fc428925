"""Follows a log from what was seen of it before, and says in sentences what is wrong with it.

```
1  the newest head is signed by the log's key
2  it extends the head before, by the log's own tiles; if not, both heads are kept as evidence
3  the leaves that were added give its root, computed here from the first leaf on
4  each leaf keeps to the rules (`rules`, `citations`)
5  enough witnesses have cosigned it
6  what the chain says of the log is a head of this very log
```
The memory moves only over leaves that a signed head covers, in one transaction each time: killed at
any moment, the next run goes on where this one was.
"""

from dataclasses import replace

from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.domain.errors import TransientError, UnservedError
from bot.domain.witnesses import Cosigned, WitnessPolicy
from bot.ports.chain import SettlementChain
from bot.ports.monitor import MonitorState, Position, RemoteLog, StoredFinding
from bot.transparency.anchored import Anchored, ask_chain
from bot.transparency.fetching import Step, fetch_bodies, fetch_leaves, grow
from bot.transparency.growth import Growth, compare, describe, describe_unserved, parse_head
from bot.transparency.lineage import Lineage
from bot.transparency.reading import LeafReading
from bot.transparency.report import MonitorReport
from bot.transparency.rules import NOTES
from bot.transparency.succession import Succession


class Monitor:
    """Follows one log, and over a true seal the one that continues it.

    Args:
        log: the log's key, which the monitor was given by another way than the log.
        remote: where the log is served.
        state: what was seen of it; of no other log.
        policy: how many witnesses must have cosigned.
        chain: a settlement contract that is told of the log's heads.
    """

    def __init__(
        self,
        *,
        log: VerifierKey,
        remote: RemoteLog,
        state: MonitorState,
        policy: WitnessPolicy,
        chain: SettlementChain | None = None,
    ) -> None:
        self._succession = Succession(asked=log, remote=remote, state=state)
        self._remote = remote
        self._state = state
        self._policy = policy
        self._chain = chain
        self._fresh: list[StoredFinding] = []  # in no report yet; owned by `look`

    async def look(self) -> MonitorReport:
        """Look at the log once, and read all that is new.

        Raises:
            TransientError: the log can't be reached; what was read by then is kept.
            ConfigurationError: the memory is of another log.
        """
        note = await self._remote.checkpoint()
        if note is None:
            raise TransientError(
                "There is no checkpoint at this address: a log's address ends in /log, and a new "
                "log has none yet."
            )
        followed = await self._succession.follow(note)
        lineage = followed.lineage
        for one in followed.findings:
            await self._find(one.kind, one.sentence, one.evidence)
        last = await self._last_head(lineage)
        cosigned, anchored = Cosigned(self._policy.needed, (), (), ()), Anchored()
        try:
            head = parse_head(note, lineage.log) if followed.may_go_on else None
        except (FormatError, MismatchError) as error:
            await self._find("bad-checkpoint", f"The log's checkpoint is not right: {error}.", note)
            head = None
        if head is not None:
            cosigned = self._policy.count(open_note(note, lineage.log))
            if await self._accept(note, head, last):
                await self._read_up_to(head, lineage)
            anchored = await self._ask_chain(lineage)
        report = await self._report(lineage, cosigned, anchored)
        self._fresh = []
        return report

    async def _last_head(self, lineage: Lineage) -> tuple[str, Checkpoint] | None:
        async with self._state.transaction() as tx:
            position = await tx.position()
        if position is None:
            return None
        return position.head, parse_head(position.head, lineage.log)

    async def _accept(
        self, note: str, head: Checkpoint, last: tuple[str, Checkpoint] | None
    ) -> bool:
        """Keep a head that extends the last one; say so if it does not."""
        if last is None:
            async with self._state.transaction() as tx:
                await tx.move(Position(note, 0, ()))
            return True
        kept, before = last
        smaller, larger = sorted((before, head), key=lambda one: one.size)
        try:
            growth = await compare(self._remote, smaller, larger)
        except UnservedError:
            if larger is head:
                sentence = describe_unserved(before, head)
                await self._find("unserved", sentence, kept + "\n" + note)
                raise
            growth = Growth.UNPROVEN
        if growth is Growth.EXTENDS:
            if larger is head:
                async with self._state.transaction() as tx:
                    await tx.move(replace(_present(await tx.position()), head=note))
            return True
        await self._find(*describe(growth, before, head), kept + "\n" + note)
        return False

    async def _read_up_to(self, head: Checkpoint, lineage: Lineage) -> None:
        """Read the leaves up to a head, some tiles at a time."""
        while True:
            async with self._state.transaction() as tx:
                position = _present(await tx.position())
            start = position.size
            if start >= head.size:
                return
            step = Step.after(start, head.size)
            leaves = await fetch_leaves(self._remote, step)
            grown = grow(position, leaves)
            part = Checkpoint(head.origin, grown.size, grown.root)
            if not leaves or await compare(self._remote, part, head) is not Growth.EXTENDS:
                wrong = (
                    f"The log serves leaves {start} to {grown.size - 1} that are not those of the "
                    f"tree that it signed at {head.size} leaves."
                )
                await self._find("bad-entries", wrong, position.head)
                return
            bodies = await fetch_bodies(self._remote, step)
            async with self._state.transaction() as tx:
                fresh = await LeafReading(tx, lineage).read(start, leaves, bodies)
                await tx.add_nodes(grown.completed)
                await tx.move(Position(position.head, grown.size, grown.frontier))
            self._fresh += fresh

    async def _ask_chain(self, lineage: Lineage) -> Anchored:
        last = await self._last_head(lineage)
        if self._chain is None or last is None:
            return Anchored()
        note, head = last
        anchored = await ask_chain(self._chain, self._remote, head)
        if anchored.is_contradiction:
            await self._find("chain-contradiction", anchored.sentence, note)
        return anchored

    async def _find(self, kind: str, sentence: str, evidence: str) -> None:
        """Keep a finding about the log as a whole: of a fault the first, of notes each."""
        finding = StoredFinding(kind, sentence, evidence=evidence)
        async with self._state.transaction() as tx:
            if kind not in NOTES and any(one.kind == kind for one in await tx.findings()):
                return
            is_new = await tx.add_finding(finding)
        if is_new:
            self._fresh.append(finding)

    async def _report(
        self, lineage: Lineage, cosigned: Cosigned, anchored: Anchored
    ) -> MonitorReport:
        last = await self._last_head(lineage)
        async with self._state.transaction() as tx:
            position = await tx.position()
            return MonitorReport(
                origin=lineage.log.name,
                size=last[1].size if last else 0,
                read=position.size if position else 0,
                counts=await tx.counts(),
                cosigned=cosigned,
                chain=anchored.sentence,
                findings=tuple(await tx.findings()),
                fresh=tuple(self._fresh),
                is_whole=anchored.is_compared,
            )


def _present(position: Position | None) -> Position:
    return position or Position("", 0, ())
