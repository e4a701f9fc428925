"""Auditors' verdicts of other people's logs over HTTP: bounded in time and size, not believed."""

import json
from dataclasses import dataclass

import aiohttp

from bot.domain.errors import TransientError, UserError

TIMEOUT_S = 20.0
MAX_VERDICTS_BYTES = 4 * 1024 * 1024
MAX_ANSWER_BYTES = 16_384
_NOT_FOUND, _TAKEN, _NEW, _TOO_MANY, _FAILED = 404, 200, 201, 429, 500


@dataclass(frozen=True, slots=True)
class SentVerdict:
    """What a log answered: the index of the leaf, and whether it is a new one."""

    leaf: int
    is_new: bool


async def fetch_verdicts(address: str) -> bytes | None:
    """Return what a log serves as a reply's verdicts; None where it serves none at all.

    Raises:
        TransientError: the host can't be reached, or answers nonsense.
    """
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(address) as answer,
        ):
            if answer.status == _NOT_FOUND:
                return None
            answer.raise_for_status()
            return await _read(answer, MAX_VERDICTS_BYTES)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise TransientError(f"The verdicts can't be fetched: {_reason(error)}.") from error


async def send_verdict(
    session: aiohttp.ClientSession, prefix: str, statement: bytes
) -> SentVerdict:
    """Send a signed statement to a log; a second time changes nothing.

    Raises:
        UserError: the log does not take it; the sentence is the log's own.
        TransientError: it can't be reached, or can't write now.
    """
    address = f"{prefix.rstrip('/')}/verdicts"
    headers = {"Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with session.post(
            address, data=statement, headers=headers, timeout=timeout, allow_redirects=False
        ) as answer:
            status, body = answer.status, await _read(answer, MAX_ANSWER_BYTES)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise TransientError(f"The log at {prefix} can't be reached: {_reason(error)}.") from error
    return _understood(status, body, prefix)


def _understood(status: int, body: bytes, prefix: str) -> SentVerdict:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    values = said if isinstance(said, dict) else {}
    if status == _TOO_MANY or status >= _FAILED:
        raise TransientError(f"The log at {prefix} takes nothing now: {_sentence(values)}")
    if status not in {_TAKEN, _NEW}:
        raise UserError(_sentence(values))
    leaf = values.get("leaf")
    if not isinstance(leaf, int) or isinstance(leaf, bool) or leaf < 0:
        raise TransientError(f"The log at {prefix} answers nonsense.")
    return SentVerdict(leaf, status == _NEW)


def _sentence(values: dict[str, object]) -> str:
    error = values.get("error")
    return error if isinstance(error, str) else "It says no more."


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    data = b""
    async for part in answer.content.iter_chunked(65_536):
        data += part
        if len(data) > limit:
            raise TransientError(f"The host sent more than {limit} bytes.")
    return data


def _reason(error: Exception) -> str:
    """Return an error's text; a timeout has none."""
    return str(error) or "it took too long"
