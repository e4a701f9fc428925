"""Which KV sequence holds which tokens, and what is moved when a request begins or ends.

Running requests always stand in sequences 0, 1, 2, … without a gap, because the library runs
neighbouring sequences as one batch and splits a batch at a gap (llama.cpp's `split_equal`). Behind
them conversations rest between their turns; the last sequences keep hot persona prefixes. Moving a
sequence is a whole copy inside the library, a few milliseconds.

Decides only; the engine carries the moves out, in order. Two rules follow from copies being
deferred inside the library until the next decode: a sequence that was copied to can't be saved
before that, and one that is part of any copy can't be loaded into before that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.domain.errors import InvariantError
from bot.inference.moves import NOTHING_ON_DISK, Copy, Load, Move, OnDisk, Save, Trim
from bot.inference.overlap import shared_length


@dataclass(slots=True)
class _Sequence:
    """One KV stream: what it holds, for which resting conversation, and when it was last used."""

    tokens: list[int] = field(default_factory=list)
    conversation: str = ""
    used: int = 0


class Cells:
    """The sequences of one context; owned by the engine's loop.

    Attributes:
        running: how many requests run, in sequences 0 to `running` - 1.
    """

    def __init__(self, *, parallel: int, resting: int, prefixes: int, cells: int) -> None:
        """Divide the sequences.

        Args:
            parallel: most requests that run at once.
            resting: conversations that are kept beside them, at least 1.
            prefixes: hot persona prefixes, at least 1.
            cells: longest list of tokens in one sequence.
        """
        self.running = 0
        self._parallel = parallel
        self._cells = cells
        # One more, so that there is always an empty one to move through.
        self._fans = [_Sequence() for _ in range(parallel + resting + 1)]
        self._prefixes = [_Sequence() for _ in range(prefixes)]
        self._clock = 0
        self._targets: set[int] = set()
        self._sources: set[int] = set()

    @property
    def full(self) -> bool:
        """Whether no more request can begin."""
        return self.running == self._parallel

    def held(self, sequence: int) -> int:
        """Return how many tokens a sequence holds."""
        return len(self._at(sequence).tokens)

    def decoded(self) -> None:
        """Note that the library has carried out all copies."""
        self._targets.clear()
        self._sources.clear()

    def grow(self, sequence: int, tokens: Sequence[int]) -> None:
        """Note that tokens were evaluated at the end of a sequence."""
        held = self._fans[sequence].tokens
        if len(held) + len(tokens) > self._cells:
            raise InvariantError(f"sequence {sequence} would exceed its {self._cells} cells")
        held.extend(tokens)

    def lost(self, sequence: int) -> None:
        """Note that a load was refused: the sequence is empty."""
        self._at(sequence).tokens = []

    def has_hot(self, prefix: Sequence[int]) -> bool:
        """Return whether a persona prefix is hot."""
        return any(one.tokens == list(prefix) for one in self._prefixes)

    def admit(
        self,
        tokens: Sequence[int],
        *,
        usable: int,
        prefix_tokens: int = 0,
        conversation: str = "",
        on_disk: OnDisk = NOTHING_ON_DISK,
    ) -> list[Move] | None:
        """Begin a request in sequence `running`, with as many of its tokens as are to be had.

        Args:
            tokens: what it has to hold at first.
            usable: how many of them need no evaluation if they are held already.
            prefix_tokens: how many of them are a persona's.
            conversation: under which name its state may rest.
            on_disk: what could be loaded.

        Returns:
            The moves; None if a load has to wait for the next decode (then nothing has changed).
        """
        if self.full or len(tokens) > self._cells:
            raise InvariantError("the scheduler admitted what there is no room for")
        wanted = list(tokens[:usable])
        source, keep = self._best_source(wanted, conversation)
        load = self._load(wanted, prefix_tokens, keep, conversation, on_disk)
        moves: list[Move] = []
        if load is not None:
            landing = self._landing() if load.conversation else self._prefix_landing()
            if landing is None:
                return None
            load = replace(load, sequence=landing)
            self._at(landing).tokens = list(load.tokens)
            self._at(landing).conversation = load.conversation
            moves.append(load)
            source, keep = landing, shared_length(load.tokens, wanted)
        moves += self._begin(source, keep, conversation)
        moves += self.forget(conversation)
        return moves + self._keep_one_empty()

    def _load(
        self, wanted: list[int], prefix_tokens: int, keep: int, conversation: str, on_disk: OnDisk
    ) -> Load | None:
        """Return what to read from disk, if that saves more than the `keep` tokens at hand."""
        best = None
        shared = shared_length(on_disk.conversation, wanted)
        if shared > keep:
            best, keep = Load(-1, conversation, on_disk.conversation), shared
        prefix = wanted[:prefix_tokens]
        if on_disk.prefix and keep < len(prefix) == prefix_tokens:
            best = Load(-1, "", tuple(prefix))
        return best

    def _begin(self, source: int | None, keep: int, conversation: str) -> list[Move]:
        """Bring `keep` tokens of a source to the first sequence behind the running ones."""
        target = self.running
        one = self._fans[target]
        moves: list[Move] = []
        if one.tokens and not (source == target and one.conversation == conversation):
            moves += self._vacate(target, source)
        if source is not None and source != target:
            moves.append(self._copy(source, target))
        elif source is None:
            keep = 0
        if len(one.tokens) > keep:
            del one.tokens[keep:]
            moves.append(Trim(target, keep))
        one.conversation = ""
        self.running += 1
        self._touch(target)
        return moves

    def _vacate(self, target: int, source: int | None) -> list[Move]:
        """Let what rests in `target` rest elsewhere; its tokens stay if it is the source, too."""
        free = [n for n in range(self.running, len(self._fans)) if not self._fans[n].tokens]
        moves: list[Move] = []
        if not free:
            moves += self._evict_coldest(beside=source if source != target else None)
            free = [n for n in range(self.running, len(self._fans)) if not self._fans[n].tokens]
        if self._fans[target].tokens:
            name, used = self._fans[target].conversation, self._fans[target].used
            moves.append(self._copy(target, free[0]))
            self._fans[free[0]].conversation, self._fans[free[0]].used = name, used
        if source != target:
            moves += self._clear(target)
        return moves

    def finish(self, sequence: int, conversation: str, *, keep: int | None = None) -> list[Move]:
        """End a running request; the last running one takes its place.

        Args:
            sequence: where it runs.
            conversation: under which name its state rests; empty: it is dropped.
            keep: how many tokens of it may stay; None for all.
        """
        moves: list[Move] = []
        if conversation:
            moves += self.forget(conversation)
        one = self._fans[sequence]
        if keep is not None and len(one.tokens) > keep:
            del one.tokens[keep:]
            moves.append(Trim(sequence, keep))
        last = self.running - 1
        self.running = last
        rests = sequence
        if sequence != last:
            if conversation:
                rests = self._empty(beside=(sequence, last))
                moves.append(self._copy(sequence, rests))
            moves += self._move(last, sequence)
        elif not conversation:
            moves += self._clear(sequence)
        if conversation:
            self._fans[rests].conversation = conversation
            self._touch(rests)
        return moves + self._keep_one_empty()

    def keep_prefix(self, sequence: int, tokens: tuple[int, ...]) -> list[Move]:
        """Make the first tokens of a sequence hot as a persona prefix, in place of the coldest."""
        if self.has_hot(tokens):
            return []
        coldest = min(range(len(self._prefixes)), key=lambda n: self._prefixes[n].used)
        target = len(self._fans) + coldest
        moves: list[Move] = [self._copy(sequence, target)]
        if self.held(target) > len(tokens):
            self._prefixes[coldest].tokens = list(tokens)
            moves.append(Trim(target, len(tokens)))
        self._touch(target)
        return moves

    def forget(self, conversation: str) -> list[Move]:
        """Drop a resting conversation."""
        named = [n for n in self._resting() if self._fans[n].conversation == conversation]
        return [move for number in named for move in self._clear(number)]

    def _at(self, sequence: int) -> _Sequence:
        fans = len(self._fans)
        return self._fans[sequence] if sequence < fans else self._prefixes[sequence - fans]

    def _touch(self, sequence: int) -> None:
        self._clock += 1
        self._at(sequence).used = self._clock

    def _best_source(self, wanted: list[int], conversation: str) -> tuple[int | None, int]:
        """Return the sequence that shares most with `wanted`, its own conversation's first."""
        best: int | None = None
        most = 0
        everywhere = range(len(self._fans) + len(self._prefixes))
        own = [n for n in everywhere if conversation and self._at(n).conversation == conversation]
        for number in [*own, *everywhere]:
            shared = shared_length(self._at(number).tokens, wanted)
            if shared > most:
                best, most = number, shared
        if best is not None:
            self._touch(best)
        return best, most

    def _landing(self) -> int | None:
        """Return an empty sequence that may be loaded into now."""
        busy = self._targets | self._sources
        fans = range(self.running, len(self._fans))
        return next((n for n in fans if not self._fans[n].tokens and n not in busy), None)

    def _prefix_landing(self) -> int | None:
        """Return the coldest prefix sequence that may be loaded into now."""
        busy = self._targets | self._sources
        first = len(self._fans)
        free = [n for n in range(len(self._prefixes)) if first + n not in busy]
        if not free:
            return None
        coldest = first + min(free, key=lambda n: self._prefixes[n].used)
        self._touch(coldest)
        return coldest

    def _empty(self, beside: tuple[int, int]) -> int:
        """Return an empty fan sequence; there is always one."""
        for number in range(self.running, len(self._fans)):
            if not self._fans[number].tokens and number not in beside:
                return number
        raise InvariantError("no sequence is empty")

    def _copy(self, source: int, target: int) -> Copy:
        self._at(target).tokens = list(self._at(source).tokens)
        self._at(target).conversation = ""
        self._sources.add(source)
        self._targets.add(target)
        return Copy(source, target)

    def _move(self, source: int, target: int) -> list[Move]:
        name, used = self._at(source).conversation, self._at(source).used
        copy = self._copy(source, target)
        self._at(target).conversation, self._at(target).used = name, used
        return [copy, *self._clear(source)]

    def _clear(self, sequence: int) -> list[Move]:
        one = self._fans[sequence]
        one.tokens, one.conversation = [], ""
        return [Trim(sequence, 0)]

    def _resting(self) -> list[int]:
        return [n for n in range(self.running, len(self._fans)) if self._fans[n].conversation]

    def _keep_one_empty(self) -> list[Move]:
        """Put the coldest resting conversation on disk if no sequence is empty."""
        if any(not one.tokens for one in self._fans[self.running :]):
            return []
        return self._evict_coldest(beside=None)

    def _evict_coldest(self, beside: int | None) -> list[Move]:
        resting = [n for n in self._resting() if n != beside]
        coldest = min(resting, key=lambda n: self._fans[n].used)
        one = self._fans[coldest]
        # Copied a moment ago it can't be saved; that costs only time when it comes back.
        saves = coldest not in self._targets
        save: list[Move] = [Save(coldest, one.conversation, tuple(one.tokens))] if saves else []
        return save + self._clear(coldest)
