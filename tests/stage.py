"""A whole service in miniature: the real use cases over fakes, or over SQLite, with fixed keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.audit.findings import Findings
from bot.audit.run import Audit
from bot.crypto import signed_note
from bot.crypto.ed25519 import public_key_of
from bot.domain.errors import UserError
from bot.domain.ledger import EQUITY
from bot.domain.money import NANO
from bot.domain.persona import Persona
from bot.domain.terms import ModelTerms
from bot.ledger.fees import plan_funding
from bot.ports.audit import AuditReader
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.people import Person
from bot.ports.personas import PersonaFile
from bot.ports.settlement import EarningsReader, EpochStore
from bot.ports.stores import Store, StoredReply
from bot.receipts.issue import Issuer
from bot.receipts.log import CheckpointSigner
from bot.receipts.source import StoredProofs
from bot.receipts.trust import TrustPolicy
from bot.settlement.statement import EarningsStatements
from bot.twins.admission import AdmissionPolicy
from bot.twins.answer import AnswerFan
from bot.twins.delivery import RecordDelivery
from bot.twins.endings import Endings
from bot.twins.forgotten import Forgotten
from bot.twins.inbox import FansRights, Inbox
from bot.twins.paying import WhoPays
from bot.twins.publish import OperatorTerms, PublishTwin
from bot.twins.recovery import Recovery
from bot.twins.registered import Registered
from bot.twins.roster import LiveTwin, Roster
from bot.twins.running import RunningReplies
from bot.twins.turns import ConversationTurns
from bot.twins.withdrawal import WithdrawMessage
from scripts.vector_log import fixed_key
from tests.fakes.chain import MemoryChain
from tests.fakes.clock import CountingEntropy, SetClock
from tests.fakes.engine import MemoryEngine
from tests.fakes.epochs import MemoryEarnings, MemoryEpochStore
from tests.fakes.models import MemoryModels
from tests.fakes.store import MemoryStore

SURFACE = Surface(platform="terminal", bot="local", chat="stage", thread="")
PRICE = 2_000_001
CREATOR_NANO, OPERATOR_NANO = 1_700_000, 300_001
RECEIPTS_KEY, VRF_KEY, LOG_KEY = fixed_key("receipts"), fixed_key("vrf"), fixed_key("log")
ERASURES_KEY = fixed_key("erasures")
MODEL = ModelTerms("fake", fixed_key("gguf"), 1)
LOG = signed_note.VerifierKey("stage.example/log", public_key_of(LOG_KEY))
MIRA = PersonaFile(
    slug="mira",
    creator="Mira",
    persona=Persona(name="Mira", role="a cook", facts=("I cook.",)),
    price_nano=PRICE,
    temperature="1",
    top_k=40,
    top_p="0.95",
    max_tokens=16,
)
THEO = replace(MIRA, slug="theo", persona=Persona(name="Theo", role="a guide"), price_nano=0)


class StageCreators:
    """Fixed keys of the sample creators."""

    def signing_key(self, slug: str) -> bytes:
        """Return the key that signs manifests."""
        return fixed_key(f"{slug} signing")

    def payout_key(self, slug: str) -> bytes:
        """Return the key of the payout address."""
        return fixed_key(f"{slug} payout")


class NoRights(FansRights):
    """A stage without anything about people's data."""

    async def report(self, receipt_id: str, platform: str, fan: str, reason: str) -> None:
        """Refuse."""
        del receipt_id, platform, fan, reason
        raise UserError("There is no such reply.")

    async def export(self, platform: str, fan: str) -> bytes:
        """Return nothing."""
        del platform, fan
        return b"{}"

    async def forget(self, platform: str, fan: str) -> int:
        """Forget nothing."""
        del platform, fan
        return 0


@dataclass(slots=True)
class Stage:
    """The service; `restart` gives it a new life over the same store.

    Attributes:
        budget: sponsorship in nano-units.
        daily_messages: quota of one fan.
        paying: whose money pays.
        cooldown: between two messages of one fan.
        registered: who may speak by the registry of twins.
    """

    store: Store
    reader: AuditReader
    engine: MemoryEngine = field(default_factory=MemoryEngine)
    clock: SetClock = field(default_factory=SetClock)
    entropy: CountingEntropy = field(default_factory=CountingEntropy)
    epochs: EpochStore = field(default_factory=MemoryEpochStore)
    earnings: EarningsReader = field(default_factory=MemoryEarnings)
    chain: MemoryChain = field(default_factory=MemoryChain)
    budget: int = 10 * NANO
    daily_messages: int = 500
    roster: Roster = field(default_factory=Roster)
    turns: ConversationTurns = field(default_factory=ConversationTurns)
    running: RunningReplies = field(default_factory=RunningReplies)
    privacy: FansRights = field(default_factory=NoRights)
    forgotten: Forgotten = field(default_factory=lambda: Forgotten(ERASURES_KEY))
    paying: WhoPays = field(default_factory=WhoPays)
    cooldown: timedelta = timedelta(0)
    registered: Registered = field(default_factory=Registered)

    @property
    def models(self) -> MemoryModels:
        """The one model, over the engine of now."""
        return MemoryModels(self.engine, MODEL)

    @property
    def issuer(self) -> Issuer:
        """What signs receipts and statements."""
        return Issuer(signing_key=RECEIPTS_KEY, build=fixed_key("build"), verdict="exact")

    @property
    def signer(self) -> CheckpointSigner:
        """What signs heads."""
        return CheckpointSigner(origin=LOG.name, key=LOG_KEY)

    @property
    def publisher(self) -> PublishTwin:
        """What makes personas live."""
        return PublishTwin(
            store=self.store,
            models=self.models,
            clock=self.clock,
            terms=OperatorTerms(
                signing_key=RECEIPTS_KEY,
                vrf_key=VRF_KEY,
                log=LOG,
                token="tUSD",  # noqa: S106 - a currency
                operator_bp=1500,
                model=MODEL,
                library="none 1",
            ),
            creators=StageCreators(),
            roster=self.roster,
        )

    def make_answer(self) -> AnswerFan:
        """Return the use case."""
        return AnswerFan(
            roster=self.roster,
            store=self.store,
            models=self.models,
            issuer=self.issuer,
            vrf_key=VRF_KEY,
            policy=AdmissionPolicy(
                self.daily_messages,
                1000,
                erased=self.forgotten.messages,
                cooldown=self.cooldown,
                paying=self.paying,
                registered=self.registered,
            ),
            clock=self.clock,
            entropy=self.entropy,
            turns=self.turns,
            running=self.running,
        )

    @property
    def withdrawal(self) -> WithdrawMessage:
        """What takes messages back."""
        return WithdrawMessage(
            store=self.store,
            endings=Endings(self.issuer),
            turns=self.turns,
            running=self.running,
            states=self.engine,
        )

    @property
    def delivery(self) -> RecordDelivery:
        """What records outcomes."""
        return RecordDelivery(store=self.store, issuer=self.issuer)

    @property
    def recovery(self) -> Recovery:
        """What runs after a start."""
        return Recovery(
            store=self.store,
            roster=self.roster,
            answer=self.make_answer(),
            delivery=self.delivery,
            clock=self.clock,
        )

    @property
    def proofs(self) -> StoredProofs:
        """What serves bundles."""
        return StoredProofs(store=self.store, signer=self.signer)

    @property
    def policy(self) -> TrustPolicy:
        """This operator's keys, as a verifier is given them."""
        creators = frozenset(twin.manifest.creator for twin in self.roster.all())
        return TrustPolicy(creators=creators, logs=frozenset({LOG.encode()}))

    def make_inbox(self) -> Inbox:
        """Return the door of chat surfaces."""
        return Inbox(
            roster=self.roster,
            store=self.store,
            answer=self.make_answer(),
            delivery=self.delivery,
            withdrawal=self.withdrawal,
            running=self.running,
            privacy=self.privacy,
            statements=EarningsStatements(
                chain=self.chain, store=self.epochs, earnings=self.earnings
            ),
            base_url="http://127.0.0.1:8800",
        )

    async def open(self, files: Sequence[PersonaFile] = (MIRA,)) -> LiveTwin:
        """Fund the budget and publish; return the first twin."""
        async with self.store.transaction() as tx:
            funding = plan_funding(self.budget, -await tx.balance(EQUITY))
            if funding is not None:
                await tx.post(funding)
        twins = [await self.publisher.publish(file) for file in files]
        return twins[0]

    def restarted(self) -> "Stage":
        """Return the service as a new process finds it; the old one is gone."""
        assert isinstance(self.store, MemoryStore)
        store = self.store.reopened()
        return replace(
            self,
            store=store,
            reader=store,
            engine=MemoryEngine(),
            roster=Roster(),
            turns=ConversationTurns(),
            running=RunningReplies(),
        )

    async def say(
        self, text: str = "hello there", *, number: str = "first", fan: str = "ana"
    ) -> StoredReply:
        """Answer one message without watching it."""
        return await self.reply_to(message(text, number=number, fan=fan))

    async def reply_to(
        self, said: IncomingMessage, show: Callable[[str], None] | None = None
    ) -> StoredReply:
        """Answer a message that is merged into no other."""
        reply = await self.make_answer().answer(said, show or _ignore)
        assert isinstance(reply, StoredReply)
        return reply

    async def again(
        self, receipt_id: str, *, event: str = "again", fan: str = "ana"
    ) -> StoredReply:
        """Make another reply in place of one, without watching it."""
        return await self.make_answer().regenerate(
            receipt_id, Person(SURFACE.platform, fan), event, _ignore
        )

    async def balance(self, account: str) -> int:
        """Return an account's balance."""
        async with self.store.reading() as tx:
            return await tx.balance(account)

    async def audit(self) -> Findings:
        """Audit everything."""
        return await Audit(
            reader=self.reader,
            epochs=self.epochs,
            chain=None,
            log=LOG,
            signing_key=public_key_of(RECEIPTS_KEY),
            clock=self.clock,
        ).run()


def message(
    text: str = "hello there",
    *,
    number: str = "first",
    fan: str = "ana",
    twin: str = "mira",
    may_merge: bool = False,
) -> IncomingMessage:
    """Return a fan's message."""
    return IncomingMessage(twin, SURFACE, fan, number, text, may_merge)


def memory_stage(**changes: object) -> Stage:
    """Return a service over the store in memory."""
    store = MemoryStore()
    return replace(Stage(store=store, reader=store), **changes)  # type: ignore[arg-type]


def _ignore(_text: str) -> None:
    """Watch nothing."""
