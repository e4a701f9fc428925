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

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.crypto import merkle
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.crypto.tiles import TILE_WIDTH, Tile, parse_bundle, width_at
from bot.domain.errors import ConfigurationError, TransientError, UnservedError
from bot.domain.settlement import Commitment
from bot.domain.witnesses import Cosigned, WitnessPolicy
from bot.ports.chain import SettlementChain
from bot.ports.monitor import MonitorState, Position, RemoteLog, StoredFinding
from bot.transparency.growth import Growth, compare, describe, describe_unserved, parse_head
from bot.transparency.published import BODY_PREFIX_BYTES
from bot.transparency.reading import LeafReading
from bot.transparency.rules import NOTES

STEP_TILES = 16


@dataclass(frozen=True, slots=True)
class MonitorReport:
    """What one look at a log gave.

    Attributes:
        size: leaves of the newest head that was accepted; `read` of them were read.
        counts: leaves of each kind since the first.
        cosigned: of the newest head.
        chain: what the chain says, in a sentence; empty where none was asked.
        findings: all since the first look; `fresh` are those that no report named before.
        is_whole: whether the chain, where there is one, could be compared.
    """

    origin: str
    size: int
    read: int
    counts: dict[str, int]
    cosigned: Cosigned
    chain: str
    findings: tuple[StoredFinding, ...]
    fresh: tuple[StoredFinding, ...]
    is_whole: bool

    @property
    def faults(self) -> tuple[StoredFinding, ...]:
        """The findings that are faults of the log."""
        return tuple(one for one in self.findings if one.kind not in NOTES)

    @property
    def is_wrong(self) -> bool:
        """Whether there is a fault, or too few witnesses have cosigned."""
        return bool(self.faults or self.cosigned.false) or not self.cosigned.is_met

    @property
    def is_well(self) -> bool:
        """Whether all was looked at, and nothing is wrong."""
        return self.is_whole and not self.is_wrong


class Monitor:
    """Follows one log.

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
        self._log = log
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
        last = await self._last_head()
        cosigned = Cosigned(self._policy.needed, (), (), ())
        chain, is_whole = "", True
        try:
            head = parse_head(note, self._log)
        except (FormatError, MismatchError) as error:
            await self._find("bad-checkpoint", f"The log's checkpoint is not right: {error}.", note)
        else:
            cosigned = self._policy.count(open_note(note, self._log))
            if await self._accept(note, head, last):
                await self._read_up_to(head)
            chain, is_whole = await self._ask_chain()
        report = await self._report(cosigned, chain, is_whole=is_whole)
        self._fresh = []
        return report

    async def _last_head(self) -> tuple[str, Checkpoint] | None:
        async with self._state.transaction() as tx:
            position = await tx.position()
        if position is None:
            return None
        try:
            return position.head, parse_head(position.head, self._log)
        except (FormatError, MismatchError) as error:
            raise ConfigurationError(
                f"The monitor's state is of another log ({error}): choose another file with "
                "--state, or the right key with --key."
            ) from error

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

    async def _read_up_to(self, head: Checkpoint) -> None:
        """Read the leaves up to a head, some tiles at a time."""
        while True:
            async with self._state.transaction() as tx:
                position = _present(await tx.position())
            start = position.size
            if start >= head.size:
                return
            first = start // TILE_WIDTH
            last = min((head.size - 1) // TILE_WIDTH, first + STEP_TILES - 1)
            tiles = [Tile(0, n, width_at(0, n, head.size)) for n in range(first, last + 1)]
            skip = start - first * TILE_WIDTH
            leaves = await self._fetch_leaves(tiles)
            end = first * TILE_WIDTH + len(leaves)
            frontier = _extend(position, [merkle.leaf_hash(leaf) for leaf in leaves[skip:]])
            nodes = dict(zip(merkle.frontier_nodes(end), frontier, strict=True))
            root = merkle.root_from_nodes(end, nodes)
            if not leaves or not await self._is_of(Checkpoint(head.origin, end, root), head):
                wrong = (
                    f"The log serves leaves {start} to {end - 1} that are not those of the tree "
                    f"that it signed at {head.size} leaves."
                )
                await self._find("bad-entries", wrong, position.head)
                return
            bodies = await self._fetch_bodies(tiles)
            async with self._state.transaction() as tx:
                reading = LeafReading(tx, self._log)
                fresh = await reading.read(start, leaves[skip:], bodies[skip:])
                await tx.move(Position(position.head, end, frontier))
            self._fresh += fresh

    async def _is_of(self, part: Checkpoint, head: Checkpoint) -> bool:
        return await compare(self._remote, part, head) is Growth.EXTENDS

    async def _fetch_leaves(self, tiles: Sequence[Tile]) -> list[bytes]:
        """Fetch bundles of leaves; nothing where one can't be read."""
        found = await asyncio.gather(*(self._remote.entries(tile) for tile in tiles))
        leaves: list[bytes] = []
        for tile, data in zip(tiles, found, strict=True):
            if data is None:
                raise TransientError(f"the log does not serve the leaves {tile.position}")
            try:
                leaves += parse_bundle(data, tile.width)
            except FormatError:
                return []
        return leaves

    async def _fetch_bodies(self, tiles: Sequence[Tile]) -> list[bytes]:
        """Fetch what leaves cite; empty where the log does not publish it."""
        found = await asyncio.gather(*(self._remote.bodies(tile) for tile in tiles))
        bodies: list[bytes] = []
        for tile, data in zip(tiles, found, strict=True):
            try:
                bodies += parse_bundle(data or b"", tile.width, prefix_bytes=BODY_PREFIX_BYTES)
            except FormatError:
                bodies += [b""] * tile.width
        return bodies

    async def _ask_chain(self) -> tuple[str, bool]:
        """Return what the chain says of the log, and whether the two could be compared.

        A chain that is away must not hide what the log itself has shown.
        """
        last = await self._last_head()
        if self._chain is None or last is None:
            return "", True
        failed = "The chain could not be asked"
        try:
            commitment = (await self._chain.contract()).commitment
            failed = f"Epoch {commitment.epoch} on the chain could not be compared with the log"
            return await self._judge(commitment, *last), True
        except TransientError as error:
            return f"{failed}: {error}", False

    async def _judge(self, commitment: Commitment, note: str, head: Checkpoint) -> str:
        """Compare the newest commitment on the chain with the head that was accepted."""
        if commitment.log_size == 0:
            return "Nothing was committed on the chain yet."
        said = f"Epoch {commitment.epoch} on the chain names {commitment.log_size} leaves"
        if commitment.log_size > head.size:
            return f"{said}, and the log has shown {head.size} so far."
        anchor = Checkpoint(head.origin, commitment.log_size, commitment.log_root)
        if await self._is_of(anchor, head):
            return f"{said}: the same log."
        wrong = f"{said} with root {commitment.log_root.hex()}: that is not this log."
        await self._find("chain-contradiction", wrong, note)
        return wrong

    async def _find(self, kind: str, sentence: str, evidence: str) -> None:
        """Keep a finding about the log as a whole: of a fault the first, of notes each."""
        finding = StoredFinding(kind, sentence, evidence=evidence)
        async with self._state.transaction() as tx:
            if kind not in NOTES and any(one.kind == kind for one in await tx.findings()):
                return
            is_new = await tx.add_finding(finding)
        if is_new:
            self._fresh.append(finding)

    async def _report(self, cosigned: Cosigned, chain: str, *, is_whole: bool) -> MonitorReport:
        last = await self._last_head()
        async with self._state.transaction() as tx:
            position = await tx.position()
            return MonitorReport(
                origin=self._log.name,
                size=last[1].size if last else 0,
                read=position.size if position else 0,
                counts=await tx.counts(),
                cosigned=cosigned,
                chain=chain,
                findings=tuple(await tx.findings()),
                fresh=tuple(self._fresh),
                is_whole=is_whole,
            )


def _present(position: Position | None) -> Position:
    return position or Position("", 0, ())


def _extend(position: Position, hashes: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the frontier after more leaf hashes."""
    nodes = dict(zip(merkle.frontier_nodes(position.size), position.frontier, strict=True))
    size = position.size
    for value in hashes:
        for level, index, digest in merkle.nodes_to_append(size, value, nodes):
            nodes[level, index] = digest
        size += 1
    return tuple(nodes[node] for node in merkle.frontier_nodes(size))
