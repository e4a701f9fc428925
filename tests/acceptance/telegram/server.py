"""A local Bot API server on loopback: `/bot<token>/<method>`, by GET or POST, form or JSON.

Written from the API's documentation and not for one client: each request and each answer is checked
against the machine-readable description. Faults are put in front of, or behind, the work.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.acceptance.telegram.methods import Methods
from tests.acceptance.telegram.money import MoneyMethods, Till
from tests.acceptance.telegram.more_methods import ApiError, Upload
from tests.acceptance.telegram.spec import BotApiSpec, SpecError
from tests.acceptance.telegram.world import BotSide, Json, World

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name


@dataclass(slots=True)
class Fault:
    """What goes wrong with calls of a method.

    Attributes:
        times: how often.
        status: answer this instead of working; 502 comes as a page, as from Telegram's front end.
        retry_after: for status 429.
        is_done: whether the work is done all the same before the answer fails.
        is_hung: no answer at all, for as long as the client waits.
        chat: only calls for this chat.
        bot: only calls of this bot.
        delay_s: nothing but slow: the work is done and answered after so long.
    """

    method: str
    times: int = 1
    status: int = 0
    retry_after: int = 0
    is_done: bool = False
    is_hung: bool = False
    chat: int | None = None
    bot: int | None = None
    delay_s: float = 0.0

    def hits(self, bot: int, method: str, values: Json) -> bool:
        """Return whether a call is hit, and count it."""
        if self.times <= 0 or method != self.method or self.bot not in {None, bot}:
            return False
        if self.chat is not None and values.get("chat_id") != self.chat:
            return False
        self.times -= 1
        return True


@dataclass(slots=True)
class Call:
    """One request, in the order of arrival; `at` is the loop's time in seconds."""

    bot: int
    method: str
    values: Json
    at: float


@dataclass(slots=True)
class BotApiServer:
    """The server; start it, and point clients to `api_base`."""

    spec: BotApiSpec
    world: World = field(default_factory=World)
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    port: int = 0
    flood_per_s: int = 0
    till: Till = field(init=False)
    _runner: web.AppRunner | None = None

    def __post_init__(self) -> None:
        self.till = Till(self.world)

    @property
    def api_base(self) -> str:
        """What stands before the token."""
        return f"http://127.0.0.1:{self.port}/bot"

    @property
    def file_base(self) -> str:
        """The same for files."""
        return f"http://127.0.0.1:{self.port}/file/bot"

    async def start(self) -> None:
        """Listen; after a stop, on the same port."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/bot{token:[^/]+}/{method}", self._handle)
        app.router.add_route("*", "/bot{token:[^/]+}/test/{method}", self._handle)
        app.router.add_get("/file/bot{token:[^/]+}/documents/{name}", self._handle_file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Vanish from the network."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    def count(self, method: str, *, bot: BotSide | None = None) -> int:
        """Return how often a method was called."""
        return sum(
            1
            for call in self.calls
            if call.method == method and (bot is None or call.bot == bot.id)
        )

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[Fault]:
        """Let something go wrong within a block."""
        self.faults.append(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)

    async def push(self, bot: BotSide, update: Json, *, base: str, secret: str | None) -> int:
        """Deliver an update to a webhook at `base` instead of its host; return the status."""
        self.spec.check(update, ["Update"], "update")
        path = "/" + bot.webhook["url"].split("/", 3)[3]
        headers = {} if secret is None else {SECRET_HEADER: secret}
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{base}{path}", json=update, headers=headers) as response,
        ):
            return response.status

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        bot = self.world.bots.get(request.match_info["token"])
        if bot is None:
            malformed = ":" not in request.match_info["token"]
            return _refuse(
                ApiError(404, "Not Found") if malformed else ApiError(401, "Unauthorized")
            )
        method = request.match_info["method"]
        if method not in self.spec.methods:
            return _refuse(ApiError(404, "Not Found"))
        try:
            values = self.spec.parse_request(method, await _read(request))
        except SpecError as problem:
            self.violations.append(str(problem))
            return _refuse(ApiError(400, str(problem)))
        now = asyncio.get_running_loop().time()
        self.calls.append(Call(bot.id, method, values, now))
        try:
            return await self._work(request, bot, method, values)
        except ApiError as error:
            return _refuse(error)

    async def _handle_file(self, request: web.Request) -> web.Response:
        bot = self.world.bots.get(request.match_info["token"])
        data = self.world.files.get(request.match_info["name"])
        if bot is None or data is None:
            return web.Response(status=404)
        self.calls.append(Call(bot.id, "file", {}, asyncio.get_running_loop().time()))
        return web.Response(body=data)

    async def _work(
        self, request: web.Request, bot: BotSide, method: str, values: Json
    ) -> web.StreamResponse:
        self._check_flood(bot, method)
        fault = next((f for f in self.faults if f.hits(bot.id, method, values)), None)
        if fault is not None and fault.delay_s:
            await asyncio.sleep(fault.delay_s)
            fault = None
        if fault is not None and not fault.is_done:
            return await self._fail(request, fault)
        methods = Methods(self.world)
        money = MoneyMethods(self.till, methods.chat_of)
        if method in money.table:
            result = await money.table[method](bot, values)
        else:
            result = await methods.call(bot, method, values)
        self._check_result(method, result)
        if fault is not None:
            return await self._fail(request, fault)
        return web.json_response({"ok": True, "result": result})

    def _check_result(self, method: str, result: object) -> None:
        try:
            self.spec.check_result(method, result)
        except SpecError as problem:
            self.violations.append(f"our own answer: {problem}")

    def _check_flood(self, bot: BotSide, method: str) -> None:
        """Hold a bot to so many sends in any second, drafts and actions included."""
        if not self.flood_per_s or not method.startswith("send"):
            return
        since = self.calls[-1].at - 1.0
        recent = [
            call
            for call in self.calls
            if call.bot == bot.id and call.method.startswith("send") and call.at > since
        ]
        if len(recent) > self.flood_per_s:
            raise ApiError(429, "Too Many Requests: retry after 3", retry_after=3)

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.is_hung:
            await asyncio.sleep(30)
        if fault.status == 429:
            seconds = fault.retry_after
            raise ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        if fault.status == 502:
            return web.Response(status=502, text="<html>Bad Gateway</html>")
        if fault.status:
            raise ApiError(fault.status, "Internal Server Error")
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


async def _read(request: web.Request) -> Json:
    values: Json = dict(request.query)
    if request.method == "POST":
        if request.content_type == "application/json":
            values |= json.loads(await request.text() or "{}")
        else:
            for name, value in (await request.post()).items():
                if isinstance(value, web.FileField):
                    values[name] = Upload(value.filename, value.file.read())
                else:
                    values[name] = value
    return values


def _refuse(error: ApiError) -> web.Response:
    body: dict[str, Any] = {
        "ok": False,
        "error_code": error.code,
        "description": error.description,
    }
    if error.parameters:
        body["parameters"] = error.parameters
    return web.json_response(body, status=error.code)
