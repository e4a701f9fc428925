"""Errors of the SDK become errors of our tree."""

from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import discord
import pytest

from adapters.discord_chat.mapping import (
    IntentRefusedError,
    InteractionOverError,
    OutOfReachError,
    WebhookGoneError,
    discord_errors,
    map_error,
)
from bot.domain.errors import BotError, ConfigurationError, InvariantError, TransientError


def answered(
    kind: type[discord.HTTPException], status: int, code: int = 0
) -> discord.HTTPException:
    response = cast("Any", SimpleNamespace(status=status, reason="no"))
    return kind(response, {"message": "no", "code": code})


def closed(code: int) -> discord.ConnectionClosed:
    socket = cast("Any", SimpleNamespace(close_code=code))
    return discord.ConnectionClosed(socket, shard_id=0, code=code)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (discord.LoginFailure("no"), ConfigurationError),
        (discord.PrivilegedIntentsRequired(0), IntentRefusedError),
        (closed(4004), ConfigurationError),
        (closed(4013), ConfigurationError),
        (closed(4014), IntentRefusedError),
        (closed(4000), TransientError),
        (discord.RateLimited(9.0), TransientError),
        (answered(discord.Forbidden, 403, 50013), OutOfReachError),
        (answered(discord.Forbidden, 403, 50007), OutOfReachError),
        (answered(discord.NotFound, 404, 10008), OutOfReachError),
        (answered(discord.NotFound, 404, 10015), WebhookGoneError),
        (answered(discord.NotFound, 404, 10062), InteractionOverError),
        (answered(discord.HTTPException, 400, 40060), InteractionOverError),
        (answered(discord.HTTPException, 401, 50027), InteractionOverError),
        (answered(discord.HTTPException, 401), ConfigurationError),
        (answered(discord.HTTPException, 400, 30007), OutOfReachError),
        (answered(discord.HTTPException, 400, 50035), InvariantError),
        (answered(discord.HTTPException, 429), TransientError),
        (answered(discord.DiscordServerError, 502), TransientError),
        (aiohttp.ClientConnectionError(), TransientError),
        (TimeoutError(), TransientError),
        (discord.ClientException("no"), InvariantError),
    ],
)
def test_each_error_says_what_can_be_done(error: Exception, expected: type[BotError]) -> None:
    assert type(map_error(error)) is expected
    with pytest.raises(expected), discord_errors():
        raise error


def test_errors_of_our_own_pass_unchanged() -> None:
    own = TransientError("wait")

    assert map_error(own) is own
