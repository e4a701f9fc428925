"""Logs, witnesses and their memories without a network or a disk."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.crypto.cosignature import WitnessKey
from bot.crypto.hashing import sha256
from bot.crypto.tiles import Tile, encode_bundle, parse_bundle
from bot.domain.errors import StoreBusyError, TransientError
from bot.ports.monitor import RemoteLog
from bot.ports.transparency import PublicLog, WitnessAnswer, WitnessPeer
from bot.ports.witness import Conflict, SeenHead, WitnessDesk, WitnessState
from tests.fakes.store import APPLIES, KILLS, ContractBreach, ProcessKilled, WriteFault


@dataclass(slots=True)
class MemoryWitnessState(WitnessState):
    """A witness's memory; `faults` say what happens to a write, by its number from 1."""

    kept: dict[str, SeenHead] = field(default_factory=dict)
    evidence: list[Conflict] = field(default_factory=list)
    faults: dict[int, WriteFault] = field(default_factory=dict)
    writes: int = 0

    async def latest(self, origin: str) -> SeenHead | None:
        """Return the head promised last for an origin."""
        return self.kept.get(origin)

    async def advance(self, origin: str, *, expected: SeenHead | None, new: SeenHead) -> bool:
        """Put `new` in the place of `expected`; a smaller head is a breach."""
        if expected is not None and new.size < expected.size:
            raise ContractBreach("a witness never goes back")
        if self.kept.get(origin) != expected:
            return False
        self.writes += 1
        fault = self.faults.pop(self.writes, None)
        if fault is None or fault in APPLIES:
            self.kept[origin] = new
        if fault in KILLS:
            raise ProcessKilled
        if fault is not None:
            raise StoreBusyError(fault.value)
        return True

    async def keep_conflict(self, conflict: Conflict) -> None:
        """Keep evidence; the first of an origin and size."""
        if all((one.origin, one.size) != (conflict.origin, conflict.size) for one in self.evidence):
            self.evidence.append(conflict)

    async def heads(self) -> dict[str, SeenHead]:
        """Return the newest head of each origin."""
        return dict(sorted(self.kept.items()))

    async def conflicts(self) -> list[Conflict]:
        """Return the evidence."""
        return list(self.evidence)


@dataclass(slots=True)
class NearWitness(WitnessPeer):
    """A witness in the same process; `answer` may put words in its mouth."""

    key_: WitnessKey
    desk: WitnessDesk | None
    answer: Callable[[bytes], WitnessAnswer] | None = None
    asked: list[bytes] = field(default_factory=list)

    @property
    def key(self) -> WitnessKey:
        """Whose cosignatures count."""
        return self.key_

    async def ask(self, submission: bytes) -> WitnessAnswer:
        """Ask the desk; without one it is away."""
        self.asked.append(submission)
        if self.answer is not None:
            return self.answer(submission)
        if self.desk is None:
            raise TransientError("the witness is away")
        return await self.desk.add_checkpoint(submission)

    async def head(self, origin: str) -> str | None:
        """Ask the desk."""
        return None if self.desk is None else await self.desk.head(sha256(origin.encode()))


@dataclass(slots=True)
class NearLog(RemoteLog):
    """A log in the same process; single answers may be replaced by lies.

    Attributes:
        lies: by kind and tile position (`entries 000.p/4`), what is answered instead.
        bodies_of: by leaf, what is published of it though no service has stored it.
    """

    public: PublicLog
    note: str | None = None
    lies: dict[str, bytes | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    bodies_of: dict[bytes, bytes] = field(default_factory=dict)

    async def checkpoint(self) -> str | None:
        """Return the checkpoint, or the one that was put in its place."""
        return self.note or await self.public.checkpoint()

    async def tile(self, tile: Tile) -> bytes | None:
        """Return a tile of hashes."""
        return self._or_lie(f"tile {tile.level} {tile.position}", await self.public.tile(tile))

    async def entries(self, tile: Tile) -> bytes | None:
        """Return a bundle of leaves."""
        return self._or_lie(f"entries {tile.position}", await self.public.entries(tile))

    async def bodies(self, tile: Tile) -> bytes | None:
        """Return a bundle of what leaves cite, with what was put beside single leaves."""
        data, leaves = await self.public.bodies(tile), await self.public.entries(tile)
        if self.bodies_of and data is not None and leaves is not None:
            bodies = parse_bundle(data, tile.width, prefix_bytes=4)
            pairs = zip(bodies, parse_bundle(leaves, tile.width), strict=True)
            found = [body or self.bodies_of.get(leaf, b"") for body, leaf in pairs]
            data = encode_bundle(found, prefix_bytes=4)
        return self._or_lie(f"bodies {tile.position}", data)

    async def seals(self) -> bytes | None:
        """Return the seals."""
        return self._or_lie("seals", await self.public.seals())

    def _or_lie(self, what: str, true: bytes | None) -> bytes | None:
        self.asked.append(what)
        return self.lies.get(what, true)
