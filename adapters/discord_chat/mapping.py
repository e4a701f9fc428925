"""Every error of the SDK as an error of our tree; the only place that knows Discord's codes."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import discord

from bot.domain.errors import BotError, ConfigurationError, InvariantError, TransientError

UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION, TOO_MANY_WEBHOOKS = 10015, 10062, 30007
ALREADY_ANSWERED, INVALID_WEBHOOK_TOKEN = 40060, 50027
# Close codes of the gateway after which trying again can't help.
BAD_TOKEN, REFUSED_INTENTS = 4004, 4014
REFUSED_CONNECTIONS = frozenset({4010, 4011, 4012, 4013})
RETRY_S = 5.0


class OutOfReachError(BotError):
    """What was to be shown can't be shown there: no permission, no channel, no message."""


class WebhookGoneError(OutOfReachError):
    """The webhook was deleted; another one can be made."""


class InteractionOverError(OutOfReachError):
    """The interaction can't be answered any more: too late, or answered already."""


class IntentRefusedError(ConfigurationError):
    """The application may not read message content; it can run without."""


@contextmanager
def discord_errors() -> Iterator[None]:
    """Run SDK calls; whatever they raise leaves as an error of our tree."""
    try:
        yield
    except (
        discord.DiscordException,
        aiohttp.ClientError,
        OSError,
    ) as error:
        raise map_error(error) from error


def map_error(error: BaseException) -> BotError:
    """Return the error of our tree that says what the caller can do."""
    match error:
        case BotError():
            mapped = error
        case discord.HTTPException():
            mapped = _refused(error)
        case discord.LoginFailure():
            mapped = _closed(BAD_TOKEN)
        case discord.PrivilegedIntentsRequired():
            mapped = _closed(REFUSED_INTENTS)
        case discord.ConnectionClosed():
            mapped = _closed(error.code)
        case discord.RateLimited():
            mapped = TransientError("Discord is busy.", retry_after_s=error.retry_after)
        case discord.GatewayNotFound() | aiohttp.ClientError() | OSError():  # timeouts, too
            mapped = TransientError("Discord can't be reached.", retry_after_s=RETRY_S)
        case discord.InteractionResponded():
            mapped = InteractionOverError("this interaction was answered already")
        case _:
            mapped = InvariantError(f"the SDK was used wrongly: {type(error).__name__}")
    return mapped


def _closed(code: int | None) -> BotError:
    """Map a close code of the gateway."""
    if code == BAD_TOKEN:
        return ConfigurationError("Discord refuses the bot's token: check it and start again.")
    if code == REFUSED_INTENTS:
        return IntentRefusedError("Discord does not allow the message-content intent.")
    if code in REFUSED_CONNECTIONS:
        return ConfigurationError(f"Discord refuses this kind of connection (code {code}).")
    return TransientError("The connection to Discord ended.", retry_after_s=RETRY_S)


def _refused(error: discord.HTTPException) -> BotError:
    if error.code == UNKNOWN_WEBHOOK:
        return WebhookGoneError("the webhook is gone")
    if error.code in {UNKNOWN_INTERACTION, ALREADY_ANSWERED, INVALID_WEBHOOK_TOKEN}:
        return InteractionOverError(f"the interaction is over (code {error.code})")
    if isinstance(error, discord.Forbidden | discord.NotFound) or error.code == TOO_MANY_WEBHOOKS:
        return OutOfReachError(f"Discord refuses (code {error.code})")
    if isinstance(error, discord.DiscordServerError) or error.status == 429:  # noqa: PLR2004
        return TransientError("Discord is busy.", retry_after_s=RETRY_S)
    if error.status == 401:  # noqa: PLR2004
        return ConfigurationError("Discord refuses the bot's token: check it and start again.")
    return InvariantError(f"Discord refuses a request as wrong (code {error.code})")
