"""What each error of the library means for us; the only place that knows its error tree.

Error texts can hold the token or the address with the token in it, so nothing of them goes on: a
`Failure` has a kind, and logs name the kind.
"""

import traceback
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)


class FailureKind(StrEnum):
    """What the caller can do about it."""

    UNREACHABLE = "unreachable"  # this chat can't be written to: tell the core
    NOT_DONE = "not done"  # surely not carried out: back off and send again
    UNKNOWN = "unknown"  # it may have been carried out: once more at most
    REFUSED = "refused"  # the platform does not like the request itself
    UNCHANGED = "unchanged"  # an edit or a deletion that changes nothing: fine
    FLOOD = "flood"  # wait as long as the platform says
    MIGRATED = "migrated"  # the group has another id now
    CONFLICT = "conflict"  # somebody else polls with this token, or a webhook is set
    TOKEN = "token"  # noqa: S105 - a kind of failure: the token is not valid (any more)
    SKIPPED = "skipped"  # our own limiter left out a preview


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of the library in our words.

    Attributes:
        retry_after_s: for a flood, and for a preview that was left out.
        new_chat: for a migrated group.
    """

    kind: FailureKind
    retry_after_s: float = 0.0
    new_chat: int = 0


class PreviewSkippedError(TelegramError):
    """There is no room for a preview now; raised by our rate limiter before anything is sent.

    Attributes:
        retry_after_s: when there may be room; 0 if there is nothing to say about it.
    """

    def __init__(self, retry_after_s: float = 0.0) -> None:
        super().__init__("no room for a preview")
        self.retry_after_s = retry_after_s


class NotSentError(NetworkError):
    """Surely nothing has reached the platform; raised by our HTTP client."""


class BrokenOffError(NetworkError):
    """The call may have been carried out, but its answer did not come; of our HTTP client, too."""


_UNCHANGED = ("message is not modified", "message to delete not found")
_UNREACHABLE = (
    "chat not found",
    "user not found",
    "peer_id_invalid",
    "not enough rights",
    "have no rights",
    "need administrator rights",
    "chat_write_forbidden",
    "chat_restricted",
    "message thread not found",
    "topic_closed",
    "topic_deleted",
    "group chat was deactivated",
    "user is deactivated",
)
_SIMPLE: tuple[tuple[type[TelegramError], FailureKind], ...] = (
    (NotSentError, FailureKind.NOT_DONE),
    (BrokenOffError, FailureKind.UNKNOWN),
    (TimedOut, FailureKind.UNKNOWN),
    (Conflict, FailureKind.CONFLICT),
    (InvalidToken, FailureKind.TOKEN),
    (Forbidden, FailureKind.UNREACHABLE),
)


def classify(error: TelegramError) -> Failure:
    """Translate an error."""
    for kind_of_error, kind in _SIMPLE:
        if isinstance(error, kind_of_error):
            return Failure(kind)
    match error:
        case PreviewSkippedError():
            return Failure(FailureKind.SKIPPED, retry_after_s=error.retry_after_s)
        case RetryAfter():
            return Failure(FailureKind.FLOOD, retry_after_s=seconds_of(error))
        case ChatMigrated():
            return Failure(FailureKind.MIGRATED, new_chat=error.new_chat_id)
        case NetworkError():
            return Failure(_kind_of_network_error(error))
        case _:
            return Failure(FailureKind.UNKNOWN)


def locate(error: BaseException) -> str:
    """Say what a bug is and where, without its words, which may quote a fan or a token."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def seconds_of(error: RetryAfter) -> float:
    """Return how long to wait; the library has two types for it."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def _kind_of_bad_request(message: str) -> FailureKind:
    if any(words in message for words in _UNCHANGED):
        return FailureKind.UNCHANGED
    if any(words in message for words in _UNREACHABLE):
        return FailureKind.UNREACHABLE
    return FailureKind.REFUSED


def _kind_of_network_error(error: NetworkError) -> FailureKind:
    """Tell an answer that says that the platform is in trouble from what is no answer."""
    if isinstance(error, BadRequest):
        return _kind_of_bad_request(error.message.lower())
    is_bug = error.__cause__ is not None and not isinstance(error.__cause__, TelegramError)
    is_gateway = "gateway time" in error.message.lower()
    return FailureKind.UNKNOWN if is_bug or is_gateway else FailureKind.NOT_DONE
