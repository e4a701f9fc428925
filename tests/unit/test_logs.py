"""Logs: one event a line, and never a fan's word, a key or a link."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from io import TextIOBase
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot.domain.errors import BotError
from bot.domain.statements import Outcome
from bot.logs import FORBIDDEN, REDACTED, configure_logs, redact
from tests.fakes.store import MemoryStore, WriteFault
from tests.stage import memory_stage, message

MARKER = "xyzzy-the-fans-secret-word"


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """A configured log; the process's own configuration comes back afterwards."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logs("debug", tmp_path / "twinproof.log")
    structlog.configure(cache_logger_on_first_use=False)
    yield tmp_path / "twinproof.log"
    streams = {getattr(handler, "stream", None) for handler in root.handlers}
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)
    for stream in streams:
        if isinstance(stream, TextIOBase) and getattr(stream, "name", "") == str(
            tmp_path / "twinproof.log"
        ):
            stream.close()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _text(path).splitlines()]


def test_event_is_one_json_line_with_level_and_time(log_file: Path) -> None:
    structlog.get_logger().info("reply.sent", receipt="r1", number=3)

    (line,) = _lines(log_file)
    assert (line["event"], line["level"], line["receipt"]) == ("reply.sent", "info", "r1")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_forbidden_name_is_redacted(log_file: Path, name: str) -> None:
    structlog.get_logger().warning("event", **{name: MARKER})

    assert MARKER not in log_file.read_text(encoding="utf-8")
    assert _lines(log_file)[0][name] == REDACTED


def test_other_names_are_left_alone() -> None:
    assert redact(None, "info", {"event": "e", "reason": "r"}) == {"event": "e", "reason": "r"}


def test_level_silences_what_is_below_it(log_file: Path) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    structlog.get_logger().info("quiet")
    structlog.get_logger().error("loud")

    assert [line["event"] for line in _lines(log_file)] == ["loud"]


def test_libraries_speak_into_the_same_file(log_file: Path) -> None:
    logging.getLogger("somebody").error("disk is full")

    assert "disk is full" in log_file.read_text(encoding="utf-8")


def test_flood_of_one_message_is_written_once(log_file: Path) -> None:
    for _ in range(1000):
        logging.getLogger("asyncio").error("socket.accept() out of system resource")
    logging.getLogger("asyncio").error("something else")

    written = log_file.read_text(encoding="utf-8")
    assert written.count("out of system resource") == 1
    assert "something else" in written


async def test_words_keys_and_links_of_a_whole_life_never_reach_the_log(log_file: Path) -> None:
    stage = memory_stage()
    assert isinstance(stage.store, MemoryStore)
    await stage.open()
    inbox = stage.make_inbox()
    said = [event async for event in inbox.answer(message(f"{MARKER} please"))]
    stage.engine.crashes = [1, 1]
    stage.store.faults[stage.store.writes + 3] = WriteFault.LOST
    for number in ("crash", "again"):
        try:
            reply = await stage.say(MARKER, number=number)
            await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
        except BotError as error:
            structlog.get_logger().warning("reply.failed", reason=str(error), exc_info=True)
    await replace(stage).recovery.run()

    written = _text(log_file)
    records = await stage.reader.read_all()
    secrets = [MARKER, *(r.text for r in records.replies if len(r.text) > 3)]
    secrets += [key for i in records.intents for key in (i.opening_key.hex(), i.seed.hex())]
    assert said
    assert written
    assert [secret for secret in secrets if secret in written] == []
    assert "#k=" not in written
