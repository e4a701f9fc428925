"""The engine process's side of the pipe: read a request, run it, write its events.

One thread reads lines, so that a cancel is seen while the other thread decodes. The pipe is the
process's own standard input and output; everything else that is printed goes to standard error.
"""

import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import TextIO

from adapters.llama import wire
from adapters.llama.library import die_with_parent
from bot.domain.errors import BotError, InvariantError
from bot.ports.inference import LocalEngine, TextDelta


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
    """Runs requests in order; `_cancelled` is shared with the reading thread."""

    def __init__(self, engine: LocalEngine, output: TextIO) -> None:
        self._engine = engine
        self._output = output
        self._waiting: queue.SimpleQueue[wire.Message | None] = queue.SimpleQueue()
        self._cancelled: set[int] = set()

    def run(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        while (message := self._waiting.get()) is not None:
            number = message["id"]
            try:
                self._serve(number, message)
            except BotError as error:
                self._send(number, "error", kind=type(error).__name__, text=str(error))
            self._cancelled.discard(number)

    def _read(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if message["op"] == "cancel":
                self._cancelled.add(message["id"])
            else:
                self._waiting.put(message)
        self._waiting.put(None)

    def _send(self, number: int, event: str, **values: object) -> None:
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
        for event in self._engine.generate(wire.parse_request(message["request"])):
            if number in self._cancelled:
                return
            if isinstance(event, TextDelta):
                self._send(number, "delta", text=event.text)
            else:
                self._send(number, "done", value=asdict(event))
