"""What every request passes: host and origin checks, headers, one sentence per error, one log line.

Query strings, bodies, fragments and secrets that stand in a path are never logged.
"""

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from bot.domain.errors import BotError, TransientError, UnknownTwinError, UserError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104  compared with, not bound to
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
# Tokens have 43 characters; what stands there in a link that was copied badly counts as one too.
_SECRET = re.compile(r"(?<=sign/)[^/]+|(?<=statement/)[^/]+|[A-Za-z0-9_-]{40,}", re.IGNORECASE)
_log = structlog.get_logger("web")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as a person gets it."""

    status: int
    sentence: str
    retry_after_s: float | None = None

    def as_json(self) -> dict[str, object]:
        """Return the body of an error answer."""
        return {"error": self.sentence, "retry": self.retry_after_s is not None}

    def response(self) -> web.Response:
        """Return the error answer."""
        wait = self.retry_after_s
        headers = {} if wait is None else {"Retry-After": str(max(1, round(wait)))}
        return web.json_response(self.as_json(), status=self.status, headers=headers)


class RefusedRequestError(UserError):
    """A request that the web surface itself turns away."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


def describe_error(error: Exception) -> Refusal:
    """Translate whatever left the core into a status and one sentence; bugs stay inside."""
    if isinstance(error, RefusedRequestError):
        return error.refusal
    if isinstance(error, UnknownTwinError):
        return Refusal(404, str(error))
    if isinstance(error, UserError):
        return Refusal(422, str(error))
    if isinstance(error, TransientError):
        return Refusal(503, str(error), retry_after_s=error.retry_after_s)
    return Refusal(500, "Something went wrong on this side. Nothing was charged.")


class Guard:
    """The middlewares of one server, bound to the hosts that it answers for."""

    def __init__(self, *, host: str, allowed_hosts: Iterable[str]) -> None:
        self._any_address = host in _EVERY_ADDRESS
        self._hosts = _LOOPBACK_NAMES | {host.lower()} | {name.lower() for name in allowed_hosts}

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the request, run it, and translate what goes wrong."""
        started = asyncio.get_running_loop().time()
        try:
            if request.path.startswith("/api/"):
                self._check_host(request)
            if request.method == "POST":
                _check_same_origin(request)
            response = await handler(request)
        except web.HTTPException as error:
            response = _from_http(error)
        except BotError as error:
            response = describe_error(error).response()
        except Exception as error:  # noqa: BLE001  the boundary of the surface
            _log.exception("web.failed", path=_path_of(request), error=type(error).__name__)
            response = describe_error(error).response()
        duration_ms = round((asyncio.get_running_loop().time() - started) * 1000)
        _log.info(
            "web.request",
            method=request.method,
            path=_path_of(request),
            status=response.status,
            duration_ms=duration_ms,
        )
        return response

    def _check_host(self, request: web.Request) -> None:
        """Refuse foreign host names: a page elsewhere could point its own name at this address."""
        name = _host_name(f"//{request.host}")
        if name in self._hosts or (self._any_address and _is_address(name)):
            return
        sentence = "This address is not one that the service answers for."
        raise RefusedRequestError(Refusal(421, sentence))


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Give a response the headers that it has not set itself (an aiohttp signal)."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "twinproof"


def _check_same_origin(request: web.Request) -> None:
    """Let through only what this server's own pages, or no browser at all, can send."""
    if request.content_type != "application/json":
        raise RefusedRequestError(Refusal(415, "Send JSON."))
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    same = origin is None or _place_of(origin) == request.host.lower()
    if site != "same-origin" or not same:
        raise RefusedRequestError(Refusal(403, "Other web sites may not write here."))


def _from_http(error: web.HTTPException) -> web.Response:
    sentences = {
        404: "There is nothing at this address.",
        405: "This address does not take that method.",
        413: "The message is too long.",
    }
    return Refusal(error.status, sentences.get(error.status, "Bad request.")).response()


def _path_of(request: web.Request) -> str:
    """Return the path as it may be logged."""
    return _SECRET.sub("…", request.path)


def _place_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # `http://[`
        return None


def _host_name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
