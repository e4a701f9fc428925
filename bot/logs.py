"""Structured logs: one event name a line, key-values, JSON unless a terminal reads.

Redaction is by construction: only the named values are ever passed, and a processor refuses those
names under which a message, a token or a key could slip in.
"""

import logging
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

FORBIDDEN = frozenset({"text", "message", "key", "token", "secret", "link", "seed", "prompt"})
REDACTED = "[redacted]"
REPEAT_AFTER_S = 60.0


def configure_logs(level: str, file: Path | None) -> None:
    """Send logs to a file, or to standard error when there is none.

    Args:
        level: debug, info, warning or error.
        file: appended to; the terminal stays for people.
    """
    stream = sys.stderr if file is None else file.open("a", encoding="utf-8")
    renderer: Any = structlog.processors.JSONRenderer()
    if file is None and sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=stream, level=logging.WARNING, force=True)
    logging.getLogger("asyncio").addFilter(OncePerMinute())


def keep_off_stdout() -> None:
    """Send warnings to standard error until logs are configured: results alone go to stdout."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


class OncePerMinute(logging.Filter):
    """Lets a library's message through once a minute: a full descriptor table repeats by itself."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether this message was not logged within the last minute."""
        last = self._seen.get(str(record.msg), -REPEAT_AFTER_S)
        if record.created - last < REPEAT_AFTER_S:
            return False
        self._seen[str(record.msg)] = record.created
        return True


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace the values of names that may carry words or secrets."""
    for name in FORBIDDEN & event.keys():
        event[name] = REDACTED
    return event
