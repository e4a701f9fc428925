"""The creators' room over a stage: real use cases, fixed wallets, fakes or SQLite underneath."""

import asyncio
from dataclasses import dataclass, field, replace

from bot.creators.bodies import SigningBodies
from bot.creators.desk import CreatorsRoom
from bot.creators.drafts import MAX_PRICE_NANO
from bot.creators.orders import TwinOrders
from bot.creators.policy import CreatorPolicy
from bot.creators.rehearsal import Rehearsal
from bot.creators.shelf import TwinShelf
from bot.creators.signing import SigningRoom
from bot.creators.statements import CreatorStatements
from bot.creators.tickets import SigningLinks
from bot.crypto import eip712
from bot.domain.ledger import EQUITY
from bot.domain.payment import MAX_FREE_DAILY
from bot.ledger.fees import plan_funding
from bot.ports.chat import IncomingMessage
from bot.ports.creator_store import CreatorStore
from bot.ports.creators import Actor, PauseResult, SigningLink
from bot.ports.signing import PreparedSignature
from bot.ports.stores import StoredReply
from bot.settlement.statement import EarningsStatements
from bot.twins.admission import AdmissionPolicy
from scripts.vector_log import fixed_key
from tests.fakes.creator_store import MemoryCreatorStore
from tests.fakes.store import MemoryStore
from tests.stage import SURFACE, Stage, memory_stage

ZOE = Actor("discord", "100", "Zoe")
EVE = Actor("discord", "666", "Eve")
KEY, OTHER_KEY = fixed_key("zoe wallet"), fixed_key("eve wallet")
WALLET, OTHER_WALLET = eip712.address_of(KEY), eip712.address_of(OTHER_KEY)
NOBODY = "0x" + "0" * 40
BASE = "https://twins.example"
EMBEDDED_CHAIN = 1_953_982_830


class CountedReports:
    """Every twin has three complaints."""

    async def reports_of(self, twin: bytes) -> int:
        assert len(twin) == 32
        return 3


@dataclass(slots=True)
class House:
    """One process's creators' side over a stage.

    Attributes:
        accounts: who may make twins.
    """

    stage: Stage
    creators: CreatorStore = field(default_factory=MemoryCreatorStore)
    accounts: tuple[str, ...] = ("discord:*",)
    twins_each: int = 3
    highest_nano: int = MAX_PRICE_NANO
    most_free: int = MAX_FREE_DAILY
    shelf: TwinShelf = field(init=False)
    desk: CreatorsRoom = field(init=False)
    signing: SigningRoom = field(init=False)

    def __post_init__(self) -> None:
        stage = self.stage
        terms = stage.publisher._terms
        self.shelf = TwinShelf(
            store=stage.store,
            creators=self.creators,
            roster=stage.roster,
            running=stage.running,
            models=stage.models,
            clock=stage.clock,
            terms=terms,
        )
        links = SigningLinks(
            creators=self.creators,
            shelf=self.shelf,
            clock=stage.clock,
            entropy=stage.entropy,
            base_url=BASE,
        )
        self.desk = CreatorsRoom(
            policy=CreatorPolicy(self.accounts, self.twins_each, self.highest_nano, self.most_free),
            creators=self.creators,
            shelf=self.shelf,
            links=links,
            rehearsal=Rehearsal(
                engine=stage.engine,
                terms=terms,
                policy=AdmissionPolicy(5, 1000),
                clock=stage.clock,
                entropy=stage.entropy,
            ),
            orders=TwinOrders(
                creators=self.creators,
                shelf=self.shelf,
                links=links,
                clock=stage.clock,
                entropy=stage.entropy,
            ),
            statements=CreatorStatements(
                earnings=EarningsStatements(
                    chain=stage.chain, store=stage.epochs, earnings=stage.earnings
                ),
                reports=CountedReports(),
                token=terms.token,
            ),
            clock=stage.clock,
        )
        self.signing = SigningRoom(
            store=stage.store,
            creators=self.creators,
            shelf=self.shelf,
            bodies=SigningBodies(engine=stage.engine, terms=terms),
            clock=stage.clock,
            chains=(EMBEDDED_CHAIN,),
        )

    async def open(self) -> "House":
        """Start as the service does: fund, learn what was published."""
        async with self.stage.store.transaction() as tx:
            funding = plan_funding(self.stage.budget, -await tx.balance(EQUITY))
            if funding is not None:
                await tx.post(funding)
        await self.shelf.open()
        return self

    async def restarted(self) -> "House":
        """Return the service as a new process finds it."""
        creators = self.creators
        if isinstance(creators, MemoryCreatorStore):
            creators = creators.reopened()
        stage = self.stage.restarted()
        return await House(stage, creators, self.accounts, self.twins_each).open()

    async def begin(self, slug: str = "zoe") -> None:
        """Create a draft."""
        await self.desk.create(ZOE, slug, name=slug.title(), role="a potter from Lisbon")

    async def prepare(
        self, link: SigningLink | PauseResult | None, *, key: bytes = KEY, payout: str = ""
    ) -> tuple[str, PreparedSignature]:
        """Open a link and connect a wallet; return token and what it would sign."""
        token = token_of(link)
        address = eip712.address_of(key)
        return token, await self.signing.prepare(token, signer=address, payout=payout)

    async def sign(
        self, link: SigningLink | PauseResult | None, *, key: bytes = KEY, payout: str = ""
    ) -> str:
        """Sign what a link asks for; return the sentence."""
        token, prepared = await self.prepare(link, key=key, payout=payout)
        signature = sign(prepared, key)
        return await self.signing.submit(token, body=prepared.body, signature=signature)

    async def publish(self, slug: str = "zoe", *, key: bytes = KEY, payout: str = "") -> str:
        """Publish the draft."""
        return await self.sign(await self.desk.publish(ZOE, slug), key=key, payout=payout)

    async def live(self, slug: str = "zoe") -> "House":
        """Have a twin live."""
        await self.begin(slug)
        await self.publish(slug)
        return self

    async def say(self, number: str = "m1", *, twin: str = "zoe", fan: str = "ana") -> StoredReply:
        """Answer a fan."""
        message = IncomingMessage(
            twin=twin, surface=SURFACE, fan=fan, message_id=number, text="hello there"
        )
        reply = await self.stage.make_answer().answer(message, lambda _text: None)
        assert isinstance(reply, StoredReply)
        return reply

    async def running_reply(self, number: str = "slow") -> "asyncio.Task[StoredReply]":
        """Begin a reply that the engine holds; return it once it runs."""
        self.stage.engine.pause = asyncio.Event()
        self.stage.engine.begun.clear()
        task = asyncio.create_task(self.say(number))
        await self.stage.engine.begun.wait()
        return task


def memory_house(**changes: object) -> House:
    """Return a house over fakes."""
    return replace(House(memory_stage()), **changes)  # type: ignore[arg-type]


def memory_of(house: House) -> MemoryStore:
    """Return the store underneath."""
    assert isinstance(house.stage.store, MemoryStore)
    return house.stage.store


def token_of(link: SigningLink | PauseResult | None) -> str:
    """Return the secret in a link."""
    found = link.link if isinstance(link, PauseResult) else link
    assert found is not None
    assert found.url.startswith(f"{BASE}/sign/")
    return found.url.rpartition("/")[2]


def sign(prepared: PreparedSignature, key: bytes = KEY) -> str:
    """Sign what was prepared, as a wallet does."""
    digest = bytes.fromhex(prepared.digest[2:])
    return eip712.encode_signature(eip712.sign_digest(key, digest))
