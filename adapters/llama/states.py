"""Saved states on disk: persona prefixes and conversations, within a budget.

One folder for each model and build, so that a state can't be taken for another's by its name; each
file says again whose it is. Nothing here is ever needed: what is lost is computed again.
"""

import hashlib
import os
import shutil
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np

from adapters.llama.state_file import (
    PARTIAL,
    RefusedStateError,
    StateKey,
    read_state,
    read_tokens,
    write_state,
)
from bot.ports.runner import StateStore

PREFIX, CONVERSATION = "prefix-", "talk-"
PRIVATE_FOLDER = 0o700
_NAME_CHARS = 16


class DiskStates(StateStore):
    """States of one model under one build; owned by one thread.

    `_sizes` maps the files of the folder to their sizes, the coldest first; it is what is on disk
    as long as nobody else writes there.
    """

    def __init__(self, root: Path, key: StateKey, *, budget_bytes: int) -> None:
        """Take the folder over: partial files and states of other builds of the model go.

        Args:
            root: a folder of the service's own; made if it is missing.
            key: what states must be good for.
            budget_bytes: most that this model's states may take.

        Raises:
            OSError: the folder can't be made or read.
        """
        self._root = root
        self._key = key
        self._budget = budget_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._total = 0
        build = hashlib.sha256(f"{key.build} {key.cache}".encode()).hexdigest()
        model = key.model[:_NAME_CHARS]
        self._folder = root / f"{model}-{build[:_NAME_CHARS]}"
        root.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        for other in root.glob(f"{model}-*"):
            if other != self._folder:
                shutil.rmtree(other, ignore_errors=True)
        self._folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        self._take_stock()

    def _take_stock(self) -> None:
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(PARTIAL):
                    Path(entry.path).unlink()
                else:
                    facts = entry.stat(follow_symlinks=False)
                    found.append((facts.st_mtime_ns, entry.name, facts.st_size))
        for _, name, size in sorted(found):
            self._sizes[name] = size
            self._total += size
        self._keep_budget()

    def put_prefix(self, tokens: tuple[int, ...], state: bytes) -> None:
        """Keep a persona prefix's state, if the disk takes it."""
        self._put(_prefix_name(tokens), tokens, state)

    def get_prefix(self, tokens: tuple[int, ...]) -> bytes | None:
        """Return a persona prefix's state."""
        return self._get(_prefix_name(tokens), tokens)

    def has_prefix(self, tokens: tuple[int, ...]) -> bool:
        """Return whether there is a state of this persona prefix, by its name alone."""
        return _prefix_name(tokens) in self._sizes

    def put_conversation(self, conversation: str, tokens: tuple[int, ...], state: bytes) -> None:
        """Keep a conversation's state in place of the one before."""
        self._put(_conversation_name(conversation), tokens, state)

    def tokens_of(self, conversation: str) -> tuple[int, ...]:
        """Return which tokens the conversation's state holds; empty if there is none."""
        name = _conversation_name(conversation)
        if name not in self._sizes:
            return ()
        try:
            return read_tokens(self._folder / name, self._key, name)
        except RefusedStateError:
            self._remove(name)
            return ()

    def get_conversation(self, conversation: str) -> bytes | None:
        """Return the conversation's state, for the ids of `tokens_of`."""
        return self._get(_conversation_name(conversation), self.tokens_of(conversation))

    def forget(self, conversation: str) -> None:
        """Destroy the conversation's state, also under other models, and see it gone on disk."""
        self._remove(_conversation_name(conversation))
        forget_files(self._root, conversation)

    def _put(self, name: str, tokens: tuple[int, ...], state: bytes) -> None:
        self._remove(name)
        # Room is made first: a full disk shall not need twice the budget.
        self._keep_budget(coming=len(state))
        if self._total + len(state) > self._budget:
            return
        # A disk that is full or broken costs time, never a reply.
        with suppress(OSError):
            self._sizes[name] = write_state(self._folder / name, self._key, name, tokens, state)
            self._total += self._sizes[name]

    def _get(self, name: str, tokens: tuple[int, ...]) -> bytes | None:
        if name not in self._sizes:
            return None
        path = self._folder / name
        try:
            state = read_state(path, self._key, name, tokens)
        except RefusedStateError:
            self._remove(name)
            return None
        self._sizes.move_to_end(name)
        with suppress(OSError):
            os.utime(path)  # the order of use outlives the process
        return state

    def _keep_budget(self, *, coming: int = 0) -> None:
        """Throw away the coldest until the budget holds: conversations, then prefixes."""
        if self._total + coming <= self._budget:
            return
        for kind in (CONVERSATION, PREFIX):
            for name in [one for one in self._sizes if one.startswith(kind)]:
                if self._total + coming <= self._budget:
                    return
                self._remove(name)

    def _remove(self, name: str) -> None:
        self._total -= self._sizes.pop(name, 0)
        with suppress(OSError):
            (self._folder / name).unlink()


class NoStates(StateStore):
    """Keeps nothing: for a replay, which must not know more than the bundle and the model."""

    def put_prefix(self, tokens: tuple[int, ...], state: bytes) -> None:
        """Keep nothing."""

    def get_prefix(self, tokens: tuple[int, ...]) -> None:
        """Find nothing."""

    def has_prefix(self, tokens: tuple[int, ...]) -> bool:
        """Find nothing."""
        del tokens
        return False

    def put_conversation(self, conversation: str, tokens: tuple[int, ...], state: bytes) -> None:
        """Keep nothing."""

    def tokens_of(self, conversation: str) -> tuple[int, ...]:
        """Find nothing."""
        del conversation
        return ()

    def get_conversation(self, conversation: str) -> None:
        """Find nothing."""

    def forget(self, conversation: str) -> None:
        """Have nothing to destroy."""


def forget_files(root: Path, conversation: str) -> None:
    """Destroy the states of a conversation under all models, and see them gone on disk.

    Needs no engine: what a process that is down has left is forgotten as well.

    Args:
        root: as of `DiskStates`; it may be missing.
        conversation: its name.

    Raises:
        OSError: a file can't be removed.
    """
    name = _conversation_name(conversation)
    for folder in root.iterdir() if root.is_dir() else ():
        for path in (folder / name, folder / (name + PARTIAL)):
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
                _sync(folder)


def _prefix_name(tokens: tuple[int, ...]) -> str:
    return PREFIX + hashlib.sha256(np.asarray(tokens, "<i4").tobytes()).hexdigest()


def _conversation_name(conversation: str) -> str:
    return CONVERSATION + hashlib.sha256(conversation.encode()).hexdigest()


def _sync(folder: Path) -> None:
    """Wait until the disk knows what the folder holds."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
