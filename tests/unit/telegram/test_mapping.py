"""Each of the library's errors in our words."""

import pytest
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

from adapters.telegram_chat.mapping import (
    BrokenOffError,
    Failure,
    FailureKind,
    NotSentError,
    PreviewSkippedError,
    classify,
)


def _because(error: TelegramError, cause: Exception) -> TelegramError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Forbidden("Forbidden: bot was blocked by the user"), FailureKind.UNREACHABLE),
        (BadRequest("Chat not found"), FailureKind.UNREACHABLE),
        (BadRequest("Message thread not found"), FailureKind.UNREACHABLE),
        (BadRequest("Not enough rights to send text messages"), FailureKind.UNREACHABLE),
        (BadRequest("Message is not modified: …"), FailureKind.UNCHANGED),
        (BadRequest("BUTTON_URL_INVALID"), FailureKind.REFUSED),
        (Conflict("terminated by other getUpdates request"), FailureKind.CONFLICT),
        (InvalidToken("The token `1:SECRET` was rejected"), FailureKind.TOKEN),
        (NetworkError("Bad Gateway"), FailureKind.NOT_DONE),
        (NetworkError("Gateway Timeout"), FailureKind.UNKNOWN),
        (_because(NetworkError("Bad Gateway"), TelegramError("no JSON")), FailureKind.NOT_DONE),
        (_because(NetworkError("Unknown error"), ValueError()), FailureKind.UNKNOWN),
        (NotSentError("ClientConnectorError"), FailureKind.NOT_DONE),
        (BrokenOffError("ServerDisconnectedError"), FailureKind.UNKNOWN),
        (PreviewSkippedError(), FailureKind.SKIPPED),
        (TimedOut(), FailureKind.UNKNOWN),
        (TelegramError("Invalid server response"), FailureKind.UNKNOWN),
    ],
)
def test_the_kind_of_an_error(error: TelegramError, kind: FailureKind) -> None:
    assert classify(error) == Failure(kind)


def test_floods_and_migrations_carry_their_numbers() -> None:
    assert classify(RetryAfter(7)) == Failure(FailureKind.FLOOD, retry_after_s=7.0)
    assert classify(ChatMigrated(-1002)) == Failure(FailureKind.MIGRATED, new_chat=-1002)


def test_a_preview_that_was_left_out_says_when_to_come_again() -> None:
    skipped = classify(PreviewSkippedError(0.4))

    assert skipped == Failure(FailureKind.SKIPPED, retry_after_s=0.4)
