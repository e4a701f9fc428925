"""The creators' side, put together: which twins are live, drafts, signing."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from bot.config import Settings
from bot.creators.bodies import SigningBodies
from bot.creators.desk import CreatorsRoom
from bot.creators.orders import TwinOrders
from bot.creators.policy import CreatorPolicy
from bot.creators.rehearsal import Rehearsal
from bot.creators.shelf import TwinShelf
from bot.creators.signing import SigningRoom
from bot.creators.statement_links import StatementLinks
from bot.creators.statements import CreatorStatements
from bot.creators.tickets import SigningLinks
from bot.domain.money import NANO
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock, Entropy
from bot.ports.creators import CreatorDesk
from bot.ports.models import ServedModels
from bot.ports.signing import SigningDesk
from bot.ports.statements import StatementDesk
from bot.settlement.statement import EarningsStatements
from bot.twins.admission import AdmissionPolicy
from bot.twins.publish import OperatorTerms
from bot.wiring.settlement import OpenSettlement
from bot.wiring.stores import Stores
from bot.wiring.twins import UseCases


@dataclass(frozen=True, slots=True)
class Creators:
    """The doors: `desk` for chat surfaces, `signing` and `statements` for their pages."""

    desk: CreatorDesk
    signing: SigningDesk
    statements: StatementDesk


class CreatorsWiring:
    """Builds the creators' use cases over the same store, engine and roster as the fans'."""

    def __init__(
        self,
        *,
        settings: Settings,
        stores: Stores,
        models: ServedModels,
        cases: UseCases,
        terms: OperatorTerms,
        clock: Clock,
        base_url: str,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._engine = models.own.engine
        self._terms = terms
        self._clock = clock
        self._base_url = base_url
        self.shelf = TwinShelf(
            store=stores.replies,
            creators=stores.creators,
            roster=cases.roster,
            running=cases.running,
            models=models,
            clock=clock,
            terms=terms,
        )

    async def build(self, settled: OpenSettlement, changed: Callable[[], None]) -> Creators:
        """Build the doors.

        Args:
            settled: asked for earnings; its chain's id is what wallets like to put into signatures.
            changed: told whenever a twin goes live.
        """
        from adapters.host.system import SystemEntropy

        self.shelf.on_live(changed)
        entropy = SystemEntropy()
        links = SigningLinks(
            creators=self._stores.creators,
            shelf=self.shelf,
            clock=self._clock,
            entropy=entropy,
            base_url=self._base_url,
        )
        signing = SigningRoom(
            store=self._stores.replies,
            creators=self._stores.creators,
            shelf=self.shelf,
            bodies=SigningBodies(engine=self._engine, terms=self._terms),
            clock=self._clock,
            chains=(settled.chain_id,),
        )
        statements = StatementLinks(
            fees=self._stores.fees, clock=self._clock, entropy=entropy, base_url=self._base_url
        )
        desk = self._desk(settled.chain, links, entropy, statements)
        return Creators(desk, signing, statements)

    def _desk(
        self,
        chain: SettlementChain,
        links: SigningLinks,
        entropy: Entropy,
        statements: StatementLinks,
    ) -> CreatorDesk:
        settings, stores = self._settings, self._stores
        return CreatorsRoom(
            policy=CreatorPolicy(
                settings.creators.accounts,
                settings.creators.twins_each,
                int(Decimal(settings.creators.highest_price) * NANO),
                settings.creators.most_free_daily,
            ),
            creators=stores.creators,
            shelf=self.shelf,
            links=links,
            rehearsal=Rehearsal(
                engine=self._engine,
                terms=self._terms,
                policy=AdmissionPolicy(
                    settings.limits.daily_messages, settings.limits.message_chars
                ),
                clock=self._clock,
                entropy=entropy,
            ),
            orders=TwinOrders(
                creators=stores.creators,
                shelf=self.shelf,
                links=links,
                clock=self._clock,
                entropy=entropy,
            ),
            statements=CreatorStatements(
                earnings=EarningsStatements(
                    chain=chain, store=stores.epochs, earnings=stores.earnings
                ),
                reports=stores.fans,
                token=self._terms.token,
                links=statements,
            ),
            clock=self._clock,
        )
