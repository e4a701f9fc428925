"""The platform's shop: what the application sells, what people have bought and got back."""

import time
from typing import Any

from aiohttp import web

from tests.acceptance.discord.gateway import Gateway
from tests.acceptance.discord.rest import PREFIX, answer
from tests.acceptance.discord.world import Interaction, Json, Person, Refused, World, stamp

DURABLE, CONSUMABLE, SUBSCRIPTION = 2, 3, 5
PURCHASE, DEVELOPER_GIFT, TEST_PURCHASE, APPLICATION_SUBSCRIPTION = 1, 3, 4, 8
PREMIUM = 6


class Store:
    """Routes of SKUs and entitlements, and what people do in the platform's own shop.

    Attributes:
        listed_after: from where on lists of entitlements were asked for, oldest request first.
        ends_consumed: whether what is consumed has ended for the platform, which does not say.
    """

    def __init__(self, world: World, gateway: Gateway) -> None:
        self._world = world
        self._gateway = gateway
        self._sold: dict[str, Json] = {}
        self.consumed_at: dict[str, float] = {}
        self.listed_after: list[int] = []
        self.ends_consumed = False

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        path = PREFIX + "/applications/{app}"
        return [
            web.get(path + "/skus", self.skus),
            web.get(path + "/entitlements", self.listed),
            web.get(path + "/entitlements/{id}", self.fetch),
            web.post(path + "/entitlements/{id}/consume", self.consume),
        ]

    def add_sku(self, name: str, kind: int = CONSUMABLE) -> int:
        """Sell something."""
        number = self._world.snowflake()
        plain: Json = {"id": number, "type": kind, "application_id": self._world.app.id}
        plain |= {"name": name, "slug": name.lower().replace(" ", "-"), "flags": 1 << 2}
        self._sold[number] = plain | {"dependent_sku_id": None, "manifest_labels": None}
        return int(number)

    def make(self, person: Person, sku: int, kind: int = PURCHASE, *, days_ago: int = 0) -> str:
        """Keep an entitlement without telling anybody: nobody listens, or not yet."""
        unused = any(
            one["user_id"] == person.id and one["sku_id"] == str(sku) and not one["consumed"]
            for one in self._world.entitlements.values()
            if not one["deleted"]
        )
        if unused and kind != TEST_PURCHASE:
            raise AssertionError("nobody buys a consumable again before it is consumed")
        number = self._world.snowflake(days_ago=days_ago)
        plain: Json = {"id": number, "sku_id": str(sku), "user_id": person.id, "type": kind}
        plain |= {"application_id": self._world.app.id, "deleted": False, "consumed": False}
        self._world.entitlements[number] = plain | {"starts_at": None, "ends_at": None}
        return number

    async def buy(self, person: Person, sku: int, kind: int = PURCHASE) -> str:
        """Buy; the application is told."""
        number = self.make(person, sku, kind)
        await self._gateway.publish("ENTITLEMENT_CREATE", dict(self._world.entitlements[number]))
        return number

    async def press(self, told: Interaction, sku: int) -> str:
        """Press the platform's own button in what only this person was told, and pay."""
        rows = told.private[-1]["components"]
        items = [item for row in rows for item in row["components"]]
        if not any(item["style"] == PREMIUM and item["sku_id"] == str(sku) for item in items):
            raise AssertionError("there is no button that sells this")
        return await self.buy(told.person, sku)

    async def give_back(self, number: str, *, event: str = "ENTITLEMENT_DELETE") -> None:
        """Refund a purchase, by the platform's support or by a bank."""
        self.lose(number)
        await self._gateway.publish(event, dict(self._world.entitlements[number]))

    def lose(self, number: str) -> None:
        """Refund a purchase without telling anybody."""
        self._world.entitlements[number] |= {"deleted": True, "ends_at": stamp()}

    async def skus(self, _request: web.Request) -> web.Response:
        """GET what the application sells."""
        return answer(list(self._sold.values()))

    async def listed(self, request: web.Request) -> web.Response:
        """GET entitlements, oldest first, a page of them."""
        query = request.query
        found = sorted(self._world.entitlements.values(), key=lambda one: int(one["id"]))
        if query.get("exclude_deleted", "1") in {"1", "true"}:
            found = [one for one in found if not one["deleted"]]
        if query.get("exclude_ended") in {"1", "true"}:
            found = [one for one in found if one["ends_at"] is None]
        limit = int(query.get("limit", "100"))
        if "before" in query:
            found = [one for one in found if int(one["id"]) < int(query["before"])]
            return answer(found[-limit:])
        self.listed_after.append(int(query.get("after", "0")))
        found = [one for one in found if int(one["id"]) > self.listed_after[-1]]
        return answer(found[:limit])

    def _found(self, request: web.Request) -> Json:
        found = self._world.entitlements.get(request.match_info["id"])
        if found is None:
            raise Refused(404, 10072, "Unknown Entitlement")
        return found

    async def fetch(self, request: web.Request) -> web.Response:
        """GET one."""
        return answer(self._found(request))

    async def consume(self, request: web.Request) -> web.StreamResponse:
        """POST: it was delivered; once, and only what can be used up."""
        found = self._found(request)
        kind: Any = self._sold[found["sku_id"]]["type"]
        if found["consumed"] or found["deleted"] or kind != CONSUMABLE:
            raise Refused(400, 50035, "Invalid Form Body")
        found |= {"consumed": True, "ends_at": stamp() if self.ends_consumed else None}
        self.consumed_at[found["id"]] = time.monotonic()
        return web.Response(status=204)
