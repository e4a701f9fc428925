"""Follows Discord's entitlements: as they are told, and as they are listed after a connection.

Discord lists every entitlement, consumed ones too, and that is our memory: what we were not told,
or did not finish, is listed again. How far the list was followed stands in the book, so that an
older copy of the book follows again what it has lost.
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
from bot.ports.discord_state import DiscordState, Followed

SUBSCRIBED = frozenset(
    {
        discord.EntitlementType.premium_subscription,
        discord.EntitlementType.application_subscription,
    }
)
REMEMBERED = 4096
LISTED_DELETED = 5_000
# The platform's ids grow with time; what is listed late, or claimed late, has an id of before.
A_DAY_OF_IDS = 24 * 60 * 60 * 1000 << 22
_log = structlog.get_logger("discord")


class Purchases:
    """Serves each entitlement in one task at a time.

    `_news` is the latest of each that waits. `_open` are those that are not finished: from there on
    Discord is asked again. `_done` and `_gone` are the last ones that were given and taken back, so
    that events which come twice or in the wrong order do nothing.
    """

    def __init__(
        self, *, client: discord.Client, shop: Shop, delivery: Delivery, state: DiscordState
    ) -> None:
        self._client = client
        self._shop = shop
        self._delivery = delivery
        self._state = state
        self._news: dict[int, discord.Entitlement] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._open: set[int] = set()
        self._done: OrderedDict[int, None] = OrderedDict()
        self._gone: OrderedDict[int, None] = OrderedDict()
        self._is_due = False
        self._catching: asyncio.Task[None] | None = None
        self._is_closed = False

    def follow(self, entitlement: discord.Entitlement, *, is_deleted: bool = False) -> None:
        """Do what an entitlement asks for, in a task of its own."""
        entitlement.deleted = entitlement.deleted or is_deleted
        if entitlement.deleted or not entitlement.consumed:
            self._take(entitlement)

    def _take(self, entitlement: discord.Entitlement) -> None:
        number = entitlement.id
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
        """Say whether it is a person's purchase: no server's, no subscription.

        One that a developer makes for tests may say that it is a subscription, to a consumable.
        """
        if entitlement.user_id is None:
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
        """Follow what was bought since the last look, and what was deleted of the latest ones."""
        application = str(self._client.application_id)
        followed = await self._state.entitlements_followed(application)
        if followed is None:  # the first look: kept at once, so that any copy of the book has it
            followed = Followed(await self._newest(), 0)
            await self._state.follow_entitlements(application, followed)
        newest = await self._list_bought(followed)
        with discord_errors():
            # discord.py asks for deleted ones only backwards.
            soon = discord.utils.utcnow() + timedelta(days=1)
            async for one in self._client.entitlements(
                limit=LISTED_DELETED, before=soon, exclude_deleted=False
            ):
                if one.deleted:
                    self.follow(one)
        # Whatever ends us before this line is listed again, which changes nothing.
        until = min([newest - A_DAY_OF_IDS, *(one - 1 for one in self._open)])
        await self._state.follow_entitlements(application, Followed(newest, max(until, 0)))

    async def _newest(self) -> int:
        newest = 0
        with discord_errors():
            async for one in self._client.entitlements(limit=None, after=discord.Object(0)):
                newest = max(newest, one.id)
        return newest

    async def _list_bought(self, followed: Followed) -> int:
        """Follow what was bought after `until`; return the newest that there is.

        Before the first look anything may have been consumed by others. After it we alone consume,
        and only what is credited: where that is not in the book, the book is an older copy.
        """
        newest = followed.until
        after = discord.Object(min([newest, *(one - 1 for one in self._open)]))
        with discord_errors():
            async for one in self._client.entitlements(limit=None, after=after):
                newest = max(newest, one.id)
                if not one.consumed:
                    if not one.is_expired():
                        self.follow(one)
                elif one.id > followed.since:
                    await self._look_up(one)
        return newest

    async def _look_up(self, entitlement: discord.Entitlement) -> None:
        """Have what was consumed credited if the book lacks it; one at a time, they may be many."""
        if entitlement.id in self._tasks:
            return  # it was consumed just now
        self._take(entitlement)
        task = self._tasks.get(entitlement.id)
        if task is not None:
            await asyncio.wait([task])

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
