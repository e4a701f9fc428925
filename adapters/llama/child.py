"""The engine process's side of the pipe: read a request, run it, write its events.

One thread reads lines, so that a halt is seen while the other thread decodes, and what needs no
decoding is answered at once. The pipe is the
process's own standard input and output; everything else that is printed goes to standard error.
"""

import json
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import TextIO

from adapters.llama import wire
from adapters.llama.library import die_with_parent
from bot.domain.errors import BotError, InvariantError
from bot.ports.inference import Generated, LocalEngine, TextDelta

UNBEGUN = Generated((), "", "halted")


def serve_pipe(build: Callable[[], LocalEngine]) -> int:
    """Answer requests until the parent closes the pipe; return the process's exit code.

    Args:
        build: loads the model; its BotError is reported to the parent as the start's failure.
    """
    die_with_parent()
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints must not speak on the pipe
    try:
        engine = build()
    except BotError as error:
        _write(
            output, {"id": 0, "event": "error", "kind": type(error).__name__, "text": str(error)}
        )
        return 1
    _write(output, {"id": 0, "event": "ready"})
    _Server(engine, output).run()
    return 0


def _write(output: TextIO, message: wire.Message) -> None:
    output.write(json.dumps(message) + "\n")
    output.flush()


class _Server:
    """Runs requests in order.

    Shared by both threads under `_changed`: the requests that wait, the number of the one that
    runs, how it was ended early (`cancel`, `halt` or not at all), and whether the pipe is closed.
    """

    def __init__(self, engine: LocalEngine, output: TextIO) -> None:
        self._engine = engine
        self._output = output
        self._writing = threading.Lock()
        self._changed = threading.Condition()
        self._waiting: deque[wire.Message] = deque()
        self._running = 0
        self._ended = ""
        self._closed = False

    def run(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        while (message := self._take()) is not None:
            self._answer(message)

    def _take(self) -> wire.Message | None:
        """Wait for the next request; None when the pipe is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            message = self._waiting.popleft()
            self._running, self._ended = message["id"], ""
            return message

    def _read(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            match message["op"]:
                case "cancel" | "halt" as how:
                    self._end(message["id"], how)
                case "info" | "tokenize":
                    self._answer(message)
                case _:
                    with self._changed:
                        self._waiting.append(message)
                        self._changed.notify()
        with self._changed:
            self._closed, self._ended = True, "cancel"
            self._changed.notify()

    def _end(self, number: int, how: str) -> None:
        """End a request early: the running one after its token at hand, a waiting one now."""
        with self._changed:
            if number == self._running:
                self._ended = self._ended or how
                return
            found = next((one for one in self._waiting if one["id"] == number), None)
            if found is not None:
                self._waiting.remove(found)
        if found is not None and how == "halt":
            self._send(number, "done", value=wire.encode_generated(UNBEGUN))

    def _answer(self, message: wire.Message) -> None:
        number = message["id"]
        try:
            self._serve(number, message)
        except BotError as error:
            self._send(number, "error", kind=type(error).__name__, text=str(error))

    def _send(self, number: int, event: str, **values: object) -> None:
        with self._writing:
            _write(self._output, {"id": number, "event": event, **values})

    def _serve(self, number: int, message: wire.Message) -> None:
        match message["op"]:
            case "info":
                self._send(number, "done", value=asdict(self._engine.info()))
            case "tokenize":
                tokens = self._engine.tokenize(message["text"], special=message["special"])
                self._send(number, "done", value=tokens)
            case "prepare":
                self._engine.prepare_prefix(tuple(message["tokens"]))
                self._send(number, "done", value=None)
            case "generate":
                self._generate(number, message)
            case "replay":
                outcome = self._engine.replay(wire.parse_replay(message["request"]))
                self._send(number, "done", value=asdict(outcome))
            case unknown:
                raise InvariantError(f"unknown operation {unknown}")

    def _generate(self, number: int, message: wire.Message) -> None:
        request = wire.parse_request(message["request"])
        for event in self._engine.generate(request, lambda: bool(self._ended)):
            if self._ended == "cancel":
                return
            if isinstance(event, TextDelta):
                self._send(number, "delta", text=event.text)
            else:
                self._send(number, "done", value=wire.encode_generated(event))
