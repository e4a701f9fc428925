"""Fetch a proof bundle from the host that a link names."""

import aiohttp

from bot.domain.errors import TransientError, UserError

TIMEOUT_S = 20.0
MAX_BYTES = 4 * 1024 * 1024
PENDING, NOT_FOUND = 202, 404


async def fetch_bundle(address: str) -> bytes:
    """Return the bytes at an address; nothing about them is trusted.

    Raises:
        UserError: the host has no such bundle.
        TransientError: the host can't be reached or answers nonsense.
    """
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(address) as answer,
        ):
            if answer.status == NOT_FOUND:
                raise UserError(
                    "The host knows no such reply: the link is incomplete or was changed."
                )
            if answer.status == PENDING:
                raise TransientError(
                    "The reply is not in a signed head of the log yet: try again in some seconds."
                )
            answer.raise_for_status()
            data = await answer.content.read(MAX_BYTES + 1)
            while len(data) <= MAX_BYTES and (more := await answer.content.read(MAX_BYTES)):
                data += more
    except (aiohttp.ClientError, TimeoutError) as error:
        raise TransientError(f"The host of this link can't be reached ({error}).") from error
    if len(data) > MAX_BYTES:
        raise UserError("The host sent more than a proof bundle can be.")
    return data
