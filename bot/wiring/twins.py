"""The use cases for fans, put together: publish, answer, deliver, recover."""

from dataclasses import dataclass

from bot.config import Settings
from bot.domain.terms import ModelTerms
from bot.ports.clock import Clock
from bot.ports.personas import PersonaFile
from bot.ports.stores import Store
from bot.receipts.issue import Issuer
from bot.twins.admission import AdmissionPolicy
from bot.twins.answer import AnswerFan
from bot.twins.delivery import RecordDelivery
from bot.twins.endings import Endings
from bot.twins.forgotten import Forgotten
from bot.twins.publish import OperatorTerms, PublishTwin
from bot.twins.recovery import Recovery
from bot.twins.roster import Roster
from bot.twins.running import RunningReplies
from bot.twins.turns import ConversationTurns
from bot.twins.withdrawal import WithdrawMessage
from bot.wiring.engine import Progress, RunningEngine
from bot.wiring.keys import ServiceKeys

TOKEN = "tUSD"  # noqa: S105 - the settlement token's symbol


@dataclass(frozen=True, slots=True)
class UseCases:
    """What is done for fans, and the live twins that it is done with."""

    roster: Roster
    answer: AnswerFan
    delivery: RecordDelivery
    withdrawal: WithdrawMessage
    recovery: Recovery
    turns: ConversationTurns
    running: RunningReplies
    endings: Endings
    forgotten: Forgotten


class TwinWiring:
    """Builds the use cases over one store and one engine."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engine: RunningEngine,
        keys: ServiceKeys,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engine = engine
        self._keys = keys
        self._clock = clock
        self._roster = Roster()
        self._turns = ConversationTurns()
        self._running = RunningReplies()
        self._forgotten = Forgotten(keys.erasures)

    async def publish(
        self, personas: list[PersonaFile], model: ModelTerms, progress: Progress
    ) -> None:
        """Make the personas' twins live, prefilling each.

        Raises:
            ConfigurationError: the model's template can't be used, or a persona is too long.
        """
        publisher = PublishTwin(
            store=self._store,
            engine=self._engine.engine,
            clock=self._clock,
            terms=self.terms(model),
            creators=self._keys.creators,
            roster=self._roster,
        )
        for done, persona in enumerate(personas):
            progress("Prefilling personas", done / len(personas))
            await publisher.publish(persona)
        progress("Prefilling personas", 1.0)

    def terms(self, model: ModelTerms) -> OperatorTerms:
        """Return what the operator puts into every manifest."""
        return OperatorTerms(
            signing_key=self._keys.receipts,
            vrf_key=self._keys.vrf,
            log=self._keys.log_verifier,
            token=TOKEN,
            operator_bp=self._settings.money.operator_bp,
            model=model,
            library=self._engine.library,
        )

    def build(self, *, exact: bool) -> UseCases:
        """Build the use cases; `exact` is what the engine's self-check found."""
        issuer = Issuer(
            signing_key=self._keys.receipts,
            build=self._engine.build,
            verdict="exact" if exact else "tolerant",
        )
        answer = self._answer(issuer)
        delivery = RecordDelivery(store=self._store, issuer=issuer, clock=self._clock)
        recovery = Recovery(
            store=self._store,
            roster=self._roster,
            answer=answer,
            delivery=delivery,
            clock=self._clock,
        )
        endings = Endings(issuer, self._clock)
        return UseCases(
            roster=self._roster,
            answer=answer,
            delivery=delivery,
            withdrawal=WithdrawMessage(
                store=self._store,
                endings=endings,
                turns=self._turns,
                running=self._running,
            ),
            recovery=recovery,
            turns=self._turns,
            running=self._running,
            endings=endings,
            forgotten=self._forgotten,
        )

    def _answer(self, issuer: Issuer) -> AnswerFan:
        from adapters.host.system import SystemEntropy

        limits = self._settings.limits
        return AnswerFan(
            roster=self._roster,
            store=self._store,
            engine=self._engine.engine,
            issuer=issuer,
            vrf_key=self._keys.vrf,
            policy=AdmissionPolicy(
                limits.daily_messages, limits.message_chars, erased=self._forgotten.messages
            ),
            clock=self._clock,
            entropy=SystemEntropy(),
            turns=self._turns,
            running=self._running,
        )
