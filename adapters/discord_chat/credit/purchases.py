"""Follows Discord's entitlements: as they are told, and as they are listed after a connection.

Discord keeps an entitlement until it is consumed, and that is our memory: what we were not told,
or did not finish, is listed again.
"""

import asyncio
from collections import OrderedDict
from datetime import timedelta

import discord
import structlog

from adapters.discord_chat.credit import delivery
from adapters.discord_chat.credit.delivery import Delivery
from adapters.discord_chat.credit.shop import Shop
from adapters.discord_chat.mapping import discord_errors
from bot.domain.errors import BotError, TransientError

SUBSCRIBED = frozenset(
    {
        discord.EntitlementType.premium_subscription,
        discord.EntitlementType.application_subscription,
    }
)
REMEMBERED = 4096
LISTED_DELETED = 5_000
_log = structlog.get_logger("discord")


class Purchases:
    """Serves each entitlement in one task at a time.

    `_news` is the latest of each that waits. `_open` are those that are not finished: they decide
    from where on Discord is asked again. `_done` and `_gone` are the last ones that were given and
    taken back, so that events which come twice or in the wrong order do nothing.
    """

    def __init__(self, *, client: discord.Client, shop: Shop, delivery: Delivery) -> None:
        self._client = client
        self._shop = shop
        self._delivery = delivery
        self._news: dict[int, discord.Entitlement] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._open: set[int] = set()
        self._done: OrderedDict[int, None] = OrderedDict()
        self._gone: OrderedDict[int, None] = OrderedDict()
        self._listed = 0
        self._is_due = False
        self._catching: asyncio.Task[None] | None = None
        self._is_closed = False

    def follow(self, entitlement: discord.Entitlement, *, is_deleted: bool = False) -> None:
        """Do what an entitlement asks for, in a task of its own."""
        number = entitlement.id
        entitlement.deleted = entitlement.deleted or is_deleted
        known = self._gone if entitlement.deleted else self._done
        if self._is_closed or number in self._gone or number in known:
            return
        if not self._is_ours(entitlement):
            return
        if entitlement.deleted:
            _remember(self._gone, number)
        self._open.add(number)
        self._news[number] = entitlement
        if number not in self._tasks:
            self._tasks[number] = asyncio.create_task(self._serve(number))

    def _is_ours(self, entitlement: discord.Entitlement) -> bool:
        """Say whether it is a person's purchase that waits: no server's, no subscription.

        One that a developer makes for tests may say that it is a subscription, to a consumable.
        """
        if entitlement.user_id is None or (entitlement.consumed and not entitlement.deleted):
            return False
        is_consumable = self._shop.is_consumable(entitlement.sku_id)
        return is_consumable or entitlement.type not in SUBSCRIBED

    async def settle(self, *entitlements: discord.Entitlement, within_s: float) -> None:
        """Follow entitlements, and wait for them for a while."""
        for entitlement in entitlements:
            self.follow(entitlement)
        waited = [self._tasks[one.id] for one in entitlements if one.id in self._tasks]
        if waited:
            await asyncio.wait(waited, timeout=within_s)

    def connected(self) -> None:
        """Ask Discord, in the background, for what was not told; call it at each connection."""
        if self._is_closed:
            return
        self._is_due = True
        if self._catching is None or self._catching.done():
            self._catching = asyncio.create_task(self._catch_up())

    async def close(self) -> None:
        """Stop; what is not finished is listed again at the next connection."""
        self._is_closed = True
        tasks = [*self._tasks.values(), *([self._catching] if self._catching else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _catch_up(self) -> None:
        pause = delivery.FIRST_PAUSE_S
        while self._is_due:
            self._is_due = False
            try:
                await self._shop.check()
                await self._list()
            except TransientError as error:
                _log.warning("discord.not_listed", error=type(error).__name__)
                self._is_due = True
                await asyncio.sleep(pause)
                pause = min(2 * pause, delivery.LONGEST_PAUSE_S)
            except BotError as error:
                _log.error("discord.not_listed", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001  the boundary: chat goes on without it
                _log.error("discord.failed", asked="entitlements", error=type(error).__name__)

    async def _list(self) -> None:
        """Follow what is not consumed, and what was deleted of the latest ones."""
        after = discord.Object(min(self._open, default=self._listed + 1) - 1)
        with discord_errors():
            async for one in self._client.entitlements(limit=None, exclude_ended=True, after=after):
                self._listed = max(self._listed, one.id)
                self.follow(one)
            # discord.py asks for deleted ones only backwards.
            soon = discord.utils.utcnow() + timedelta(days=1)
            async for one in self._client.entitlements(
                limit=LISTED_DELETED, before=soon, exclude_deleted=False
            ):
                if one.deleted:
                    self.follow(one)

    async def _serve(self, number: int) -> None:
        try:
            while number in self._news:
                entitlement = self._news.pop(number)
                if entitlement.deleted:
                    is_finished = await self._delivery.take_back(entitlement)
                else:
                    is_finished = await self._delivery.give(
                        entitlement, lambda: number in self._news
                    )
                    if is_finished:
                        _remember(self._done, number)
                if is_finished:
                    self._open.discard(number)
        except Exception as error:  # noqa: BLE001  the boundary: one purchase's failure is its own
            _log.error("discord.failed", asked=str(number), error=type(error).__name__)
        finally:
            del self._tasks[number]


def _remember(memory: OrderedDict[int, None], number: int) -> None:
    memory[number] = None
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
