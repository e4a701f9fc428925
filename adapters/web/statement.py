"""The page of a creator's statement, and its CSV, behind a private link.

The token in the address is a secret, so it is never logged (`adapters.web.guard`) and no answer is
kept by anybody. The page is made here and has no script.
"""

import re
from datetime import date
from typing import Final

from aiohttp import web

from adapters.web.guard import Refusal, RefusedRequestError
from adapters.web.statement_page import POLICY, render_page
from adapters.web.wrong_tries import WrongTries
from bot.domain.errors import LinkExpiredError, UserError
from bot.domain.monthly import MonthlyStatement, encode_csv, parse_month
from bot.ports.statements import StatementDesk

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_BROKEN: Final = "This link is not whole: open it again from the message that you got."


class StatementRoutes:
    """The page and the file of one statement."""

    def __init__(self, desk: StatementDesk) -> None:
        self._desk = desk
        self._guesses = WrongTries("Too many links that do not work: wait a minute.")

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to mount."""
        path = "/statement/{token:[^/]{1,200}}"
        return [web.get(f"{path}/month.csv", self.file), web.get(path, self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """Serve the page of one month."""
        statement = await self._find(request)
        headers = {"Content-Security-Policy": POLICY}
        text = render_page(statement, request.match_info["token"])
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def file(self, request: web.Request) -> web.Response:
        """Serve the same month as CSV."""
        statement = await self._find(request)
        name = f"statement-{statement.month:%Y-%m}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return web.Response(
            body=encode_csv(statement), content_type="text/csv", charset="utf-8", headers=headers
        )

    async def _find(self, request: web.Request) -> MonthlyStatement:
        token = request.match_info["token"]
        if not _TOKEN.fullmatch(token):
            raise RefusedRequestError(Refusal(404, _BROKEN))
        month = _month(request.query.get("month"))
        self._guesses.check(request.remote)
        try:
            return await self._desk.statement(token, month)
        except UserError as error:
            self._guesses.count(request.remote)
            status = 410 if isinstance(error, LinkExpiredError) else 404
            raise RefusedRequestError(Refusal(status, str(error))) from error


def _month(text: str | None) -> date | None:
    try:
        return None if text is None else parse_month(text)
    except UserError as error:
        raise RefusedRequestError(Refusal(400, str(error))) from error
