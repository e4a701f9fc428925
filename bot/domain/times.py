"""Times as the formats write them: RFC 3339 in UTC with whole seconds."""

import re
from datetime import UTC, datetime

from bot.crypto.errors import FormatError

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)


def encode_time(moment: datetime) -> str:
    """Write an aware time, e.g. `2026-11-20T10:00:00Z`; fractions of a second are cut off."""
    utc = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    return f"{utc.isoformat()}Z"


def parse_time(text: str) -> datetime:
    """Parse the one spelling that `encode_time` writes.

    Raises:
        FormatError: another spelling, or no such moment.
    """
    if not _TIME.fullmatch(text):
        raise FormatError("not a time of the form 2026-11-20T10:00:00Z")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise FormatError("there is no such moment") from error
