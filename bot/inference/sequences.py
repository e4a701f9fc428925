"""Carries out on the model and on disk what `cells` decides: the engine's hands.

A state that can't be loaded costs only time: the request starts with an empty sequence.
"""

from bot.inference.cells import Cells
from bot.inference.moves import NOTHING_ON_DISK, Copy, Load, Move, OnDisk, Save, Trim
from bot.inference.request import Work
from bot.ports.runner import Feed, Logits, ModelRunner, StateStore


class Sequences:
    """The model's sequences with the states on disk; owned by the engine's loop."""

    def __init__(
        self, model: ModelRunner, states: StateStore, *, parallel: int, prefixes: int
    ) -> None:
        """Divide the sequences; what neither runs nor is a prefix keeps conversations."""
        room = model.capacity
        self._model = model
        self._states = states
        self._cells = Cells(
            parallel=parallel,
            resting=room.sequences - parallel - prefixes - 1,
            prefixes=prefixes,
            cells=room.cells,
        )

    @property
    def full(self) -> bool:
        """Whether no more request can begin."""
        return self._cells.full

    def begin(self, work: Work, *, may_wait: bool) -> tuple[int, int] | None:
        """Begin a request.

        Args:
            work: the request.
            may_wait: whether a decode is coming anyway; if not, it begins without what can't be
                loaded before one.

        Returns:
            Its sequence and how many of its tokens are evaluated already; None if it has to wait
            for the next decode.
        """
        prefix = tuple(work.tokens[: work.prefix_tokens])
        name = work.caller.conversation
        on_disk = OnDisk(
            conversation=self._states.tokens_of(name) if name else (),
            prefix=bool(prefix)
            and not self._cells.has_hot(prefix)
            and self._states.has_prefix(prefix),
        )
        moves = self._admit(work, on_disk)
        if moves is None and not may_wait:
            moves = self._admit(work, NOTHING_ON_DISK)
        if moves is None:
            return None
        sequence = self._cells.running - 1
        if not self._apply(moves):
            self._empty(sequence)
        return sequence, self._cells.held(sequence)

    def decode(self, feeds: list[Feed]) -> Logits:
        """Evaluate feeds and note what the sequences hold now."""
        logits = self._model.decode(feeds)
        self._cells.decoded()
        for feed in feeds:
            self._cells.grow(feed.sequence, feed.tokens)
        return logits

    def end(self, sequence: int, conversation: str) -> None:
        """End a running request; the last running one takes its place.

        Args:
            sequence: where it runs.
            conversation: under which name its state rests; empty: it is dropped.
        """
        self._apply(self._cells.finish(sequence, conversation))

    def keep_prefix(self, sequence: int, tokens: tuple[int, ...]) -> None:
        """Put a persona prefix on disk and keep it hot."""
        self._states.put_prefix(tokens, self._model.save(sequence))
        self._apply(self._cells.keep_prefix(sequence, tokens))

    def warm(self, sequence: int, prefix: tuple[int, ...]) -> None:
        """Keep hot the persona prefix with which a sequence begins, unless it is at hand."""
        if prefix and not self._cells.has_hot(prefix) and not self._states.has_prefix(prefix):
            self._apply(self._cells.keep_prefix(sequence, prefix))

    def forget(self, conversation: str) -> None:
        """Destroy what rests of a conversation, in memory and on disk."""
        self._apply(self._cells.forget(conversation))
        self._states.forget(conversation)

    def _admit(self, work: Work, on_disk: OnDisk) -> list[Move] | None:
        return self._cells.admit(
            work.tokens,
            usable=min(work.rows_from, len(work.tokens) - 1),
            prefix_tokens=work.prefix_tokens,
            conversation=work.caller.conversation,
            on_disk=on_disk,
        )

    def _apply(self, moves: list[Move]) -> bool:
        """Carry out moves in order; False if a state was refused."""
        refused: set[int] = set()
        for move in moves:
            if isinstance(move, Load):
                if not self._load(move):
                    refused.add(move.sequence)
                    self._empty(move.sequence)
            elif isinstance(move, Copy):
                if move.source in refused:
                    refused.add(move.target)
                    self._model.trim(move.target, 0)
                else:
                    self._model.copy(move.source, move.target)
            elif isinstance(move, Trim):
                self._model.trim(move.sequence, 0 if move.sequence in refused else move.length)
            else:
                self._save(move)
        return not refused

    def _save(self, move: Save) -> None:
        state = self._model.save(move.sequence)
        self._states.put_conversation(move.conversation, move.tokens, state)

    def _load(self, move: Load) -> bool:
        if move.conversation:
            state = self._states.get_conversation(move.conversation)
        else:
            state = self._states.get_prefix(move.tokens)
        return state is not None and self._model.restore(move.sequence, len(move.tokens), state)

    def _empty(self, sequence: int) -> None:
        self._model.trim(sequence, 0)
        self._cells.lost(sequence)
