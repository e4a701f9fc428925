"""Private links to a creator's statement: made when they ask for their earnings, good for a while.

A link is in this process's memory alone. After a restart the creator asks again.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from bot.crypto.encoding import encode_b64url
from bot.crypto.hashing import sha256
from bot.domain.errors import LinkExpiredError, UserError
from bot.domain.monthly import MonthlyStatement, statement_of
from bot.ports.clock import Clock, Entropy
from bot.ports.statements import FeeReader, StatementDesk

WORKS_FOR = timedelta(minutes=30)
REMEMBERED_FOR = timedelta(days=1)
MOST_LINKS = 10_000
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Link:
    twin: bytes
    name: str
    token: str
    made_at: datetime
    paid_nano: int | None


class StatementLinks(StatementDesk):
    """Makes the links and answers them; what is kept is the token's hash."""

    def __init__(self, *, fees: FeeReader, clock: Clock, entropy: Entropy, base_url: str) -> None:
        self._fees = fees
        self._clock = clock
        self._entropy = entropy
        self._base_url = base_url
        self._links: OrderedDict[bytes, _Link] = OrderedDict()

    def issue(self, *, twin: bytes, name: str, token: str, paid_nano: int | None = None) -> str:
        """Return a new link to a twin's statements; whoever has it can read them.

        `paid_nano` is what the chain has paid by now: the page itself asks no chain.
        """
        secret = encode_b64url(self._entropy.random_bytes(TOKEN_BYTES))
        self._links[sha256(secret.encode())] = _Link(
            twin, name, token, self._clock.now(), paid_nano
        )
        while len(self._links) > MOST_LINKS:
            self._links.popitem(last=False)
        return f"{self._base_url}/statement/{secret}"

    async def statement(self, token: str, month: date | None) -> MonthlyStatement:
        """Return the statement that a link leads to."""
        link, now = self._links.get(sha256(token.encode())), self._clock.now()
        if link is None or now - link.made_at > REMEMBERED_FOR:
            raise UserError("This link leads nowhere: ask for your earnings again.")
        if now - link.made_at > WORKS_FOR:
            raise LinkExpiredError("This link is too old: ask for your earnings again.")
        records = await self._fees.fees(link.twin)
        if records.funding is not None and link.paid_nano is not None:
            paid = replace(records.funding, paid=link.paid_nano, paid_at=link.made_at)
            records = replace(records, funding=paid)
        return statement_of(
            records,
            twin=link.twin,
            name=link.name,
            token=link.token,
            month=month or now.date().replace(day=1),
        )
