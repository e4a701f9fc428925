"""Giving Stars back, at the operator's word; the service hears of it as of any other refund."""

from typing import Any

from telegram.error import TelegramError
from telegram.ext import ExtBot

from adapters.telegram_chat.chat import API_BASE, silence_libraries
from adapters.telegram_chat.mapping import FailureKind, classify
from adapters.telegram_chat.shared import SharedRequest
from bot.domain.errors import ConfigurationError, OutcomeUnknownError, TransientError, UserError

ANSWER_S = 20.0
_AGAIN = "charge_already_refunded"


async def refund_star_payment(
    token: str, *, api_base: str | None, user_id: int, charge_id: str
) -> bool:
    """Let Telegram give the Stars of one payment back.

    Args:
        token: of the bot that was paid; never part of an error.
        api_base: where a Bot API server is; None for Telegram's own.
        user_id: who has paid.
        charge_id: the payment's number.

    Returns:
        False if it was given back before.

    Raises:
        UserError: this bot knows no such payment of that person, or has not the Stars.
        ConfigurationError: Telegram refuses the token.
        TransientError: nothing was done; try again.
        OutcomeUnknownError: it may have been done; try again, which does it once.
    """
    silence_libraries()
    request = SharedRequest(connections=1, answer_s=ANSWER_S)
    bot: ExtBot[Any] = ExtBot(
        token, base_url=api_base or API_BASE, request=request, get_updates_request=request
    )
    await request.open()
    try:
        return await bot.refund_star_payment(user_id, charge_id)
    except TelegramError as error:
        failure = classify(error)
        if failure.kind is FailureKind.REFUSED and _AGAIN in error.message.lower():
            return False
    finally:
        await request.close()
    match failure.kind:
        case FailureKind.REFUSED | FailureKind.UNREACHABLE:
            raise UserError("Telegram knows no such payment that this bot could give back.")
        case FailureKind.TOKEN:
            raise ConfigurationError("Telegram refuses the token.")
        case FailureKind.UNKNOWN:
            raise OutcomeUnknownError("Telegram may have given the Stars back; try again.")
        case _:
            raise TransientError("Telegram can't be reached.", retry_after_s=failure.retry_after_s)
