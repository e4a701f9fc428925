"""A shop on the local Discord: one SKU on sale, at Discord and in the rate table."""

from bot.ports.people import Person
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.store import Store
from tests.acceptance.discord.world import Channel, Interaction, Json
from tests.acceptance.discord.world import Person as User
from tests.fakes.credit import MemoryFanCredit, sku_offer

HALF = 500_000_000
RECEIPT = "receipt-00000000000001"


class Shop:
    """A rig with one SKU on sale, at Discord and in the rate table."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.credit = rig.credit = MemoryFanCredit()
        self.sku = self.store.add_sku("Half a coin")
        self.credit.sold["discord"] = (sku_offer(self.sku, HALF),)

    @property
    def store(self) -> Store:
        return self.rig.platform.store

    @property
    def ana(self) -> Person:
        return Person("discord", self.rig.ana.id)

    async def balance(self) -> int:
        view = await self.credit.view(self.ana)
        return view.paid_nano + view.promotional_nano

    def calls(self, method: str) -> list[str]:
        return [about for name, about in self.credit.calls if name == method]

    async def consumed(self, number: str) -> None:
        await until(lambda: self.rig.world.entitlements[number]["consumed"])

    def direct(self, user: User) -> list[str]:
        return [message["content"] for message in self.rig.seen(self.rig.world.direct(user))]

    async def opened(self, name: str = "credit") -> Interaction:
        asked = await self.rig.people.command(self.rig.ana, self.rig.room, name)
        await until(lambda: private(asked) and not asked.private[-1]["flags"] & 128)
        return asked


def labels(message: Json) -> list[str]:
    items = [item for row in message["components"] for item in row["components"]]
    return [item.get("label") or f"sku {item['sku_id']}" for item in items]


async def pressed(shop: Shop, told: Interaction, label: str) -> Interaction:
    asked = await shop.rig.people.press_private(told, label)
    await until(lambda: asked.answer)
    return asked


async def sent(shop: Shop, window: Interaction, *values: str) -> str:
    done = await shop.rig.people.submit(window, *values)
    await until(lambda: private(done) and not done.private[-1]["flags"] & 128)
    return private(done)[-1]


async def replied(shop: Shop) -> str:
    shop.rig.inbox.link_ids.append(RECEIPT)
    shop.credit.answered(RECEIPT, shop.ana)
    await shop.rig.people.say(shop.rig.ana, shop.rig.room, f"{shop.rig.mention} hello")
    await shop.rig.answered()
    return str(shop.rig.seen()[-1]["id"])


def public(shop: Shop, room: Channel | None = None) -> list[str]:
    return [message["content"] for message in shop.rig.seen(room)]
