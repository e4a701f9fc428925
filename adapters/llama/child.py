"""The engine process's side of the pipe: take commands, step the engine, write its events.

One thread reads lines, so that a halt is seen while the other thread decodes, and what needs no
decoding is answered at once. The pipe is the process's own standard input and output; everything
else that is printed goes to standard error, and no word of a fan ever does.
"""

import os
import resource
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from json import loads
from typing import BinaryIO

from adapters.llama import wire
from adapters.llama.library import die_with_parent
from bot.domain.errors import BotError, EngineCrashedError, InvariantError
from bot.ports.runner import BatchEngine

CHUNK_BYTES = 256 * 1024
BROKEN = 3
"""Exit code of a process whose engine can't go on."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An engine that is ready, and one sentence on it for the operator."""

    engine: BatchEngine
    remark: str = ""


def serve_pipe(build: Callable[[], Ready]) -> int:
    """Answer requests until the parent closes the pipe; return the process's exit code.

    Args:
        build: loads the model; its BotError is reported to the parent as the start's failure.
    """
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold conversations
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not speak on the pipe
    try:
        ready = build()
    except BotError as error:
        _write(output, [wire.encode_error(0, error)])
        return 1
    _write(output, [{"id": 0, "event": "ready", "remark": ready.remark}])
    return _Server(ready.engine, output).run()


def _write(output: BinaryIO, messages: list[wire.Message]) -> None:
    output.write(b"".join(map(wire.encode_line, messages)))
    output.flush()


class _Server:
    """Moves all requests on, step by step.

    Shared by both threads: the commands that wait and whether the pipe is closed, under `_changed`,
    and the output, under `_writing`. The engine is the stepping thread's, but for what its port
    lets any thread ask.
    """

    def __init__(self, engine: BatchEngine, output: BinaryIO) -> None:
        self._engine = engine
        self._vocabulary = engine.info().vocabulary
        self._output = output
        self._writing = threading.Lock()
        self._changed = threading.Condition()
        self._commands: deque[wire.Message] = deque()
        self._closed = False

    def run(self) -> int:
        threading.Thread(target=self._read, daemon=True).start()
        try:
            while (commands := self._wait()) is not None:
                said = [answer for command in commands for answer in self._obey(command)]
                if not self._engine.idle:
                    said += [wire.encode_event(*event) for event in self._engine.step()]
                if said:
                    self._send(said)
        except Exception as error:  # noqa: BLE001 - whatever it is, only the process can end
            _say_why(error)
            return BROKEN
        return 0

    def _wait(self) -> list[wire.Message] | None:
        """Return the commands that came, at once while there is work; None at the end."""
        idle = self._engine.idle
        with self._changed:
            self._changed.wait_for(lambda: self._commands or self._closed or not idle)
            commands = list(self._commands)
            self._commands.clear()
            return None if self._closed else commands

    def _read(self) -> None:
        try:
            for line in _lines(0):
                message = loads(line)
                if message["op"] in ("info", "tokenize"):
                    self._send(self._obey(message))
                    continue
                with self._changed:
                    self._commands.append(message)
                    self._changed.notify()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify()

    def _send(self, messages: list[wire.Message]) -> None:
        with self._writing:
            _write(self._output, messages)

    def _obey(self, message: wire.Message) -> list[wire.Message]:
        """Do what a command says; return what can be answered at once."""
        number = message["id"]
        try:
            return self._ask(number, message) or self._begin(number, message)
        except BotError as error:
            return [wire.encode_error(number, error)]
        except OSError as error:
            failed = EngineCrashedError(f"A saved state can't be removed ({error.strerror}).")
            return [wire.encode_error(number, failed)]
        except (KeyError, TypeError, ValueError) as error:
            unread = InvariantError(f"a command that can't be read: {type(error).__name__}")
            return [wire.encode_error(number, unread)]

    def _ask(self, number: int, message: wire.Message) -> list[wire.Message]:
        match message["op"]:
            case "info":
                return [wire.done(number, asdict(self._engine.info()))]
            case "tokenize":
                tokens = self._engine.tokenize(message["text"], special=message["special"])
                return [wire.done(number, tokens)]
            case "forget":
                self._engine.forget(message["conversation"])
                return [wire.done(number, None)]
            case _:
                return []

    def _begin(self, number: int, message: wire.Message) -> list[wire.Message]:
        """Begin or end a request; its events come with the steps."""
        match message["op"]:
            case "generate":
                request = wire.parse_request(message["request"])
                self._check_tokens(request.context)
                self._engine.generate(number, request, wire.parse_caller(message["caller"]))
            case "prepare":
                tokens = tuple(message["tokens"])
                self._check_tokens(tokens)
                self._engine.prepare(number, tokens)
            case "replay":
                self._engine.replay(number, wire.parse_replay(message["request"]))
            case "cancel":
                self._engine.cancel(number)
            case "halt":
                self._engine.halt(number)
            case unknown:
                raise InvariantError(f"unknown operation {unknown}")
        return []

    def _check_tokens(self, tokens: tuple[int, ...]) -> None:
        """Refuse what would end the process: one bad request must not fail all others."""
        if tokens and not (min(tokens) >= 0 and max(tokens) < self._vocabulary):
            raise InvariantError("a context holds tokens that the model's vocabulary lacks")


def _lines(descriptor: int) -> Iterator[bytes]:
    """Yield the lines of a pipe.

    Not through a file object: its lock would be held when the process ends in the other thread.
    """
    rest = b""
    while chunk := os.read(descriptor, CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _say_why(error: BaseException) -> None:
    """Print where an error came from, and not what it says: that may quote a fan."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    words = str(error) if isinstance(error, BotError) else ""
    sys.stderr.write(f"{type(error).__name__} at {where} {words}".rstrip() + "\n")
    sys.stderr.flush()
