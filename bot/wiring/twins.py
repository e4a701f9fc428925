"""The use cases for fans, put together: publish, answer, deliver, recover."""

from dataclasses import dataclass
from datetime import timedelta

import structlog

from bot.config import Settings
from bot.credit.rates import RateBook
from bot.domain.errors import EngineCrashedError
from bot.ports.clock import Clock
from bot.ports.inference import ConversationStates
from bot.ports.models import ServedModels
from bot.ports.personas import PersonaFile
from bot.ports.stores import Store
from bot.receipts.issue import Issuer
from bot.twins.admission import AdmissionPolicy
from bot.twins.answer import AnswerFan
from bot.twins.charging import PaidTerms
from bot.twins.delivery import RecordDelivery
from bot.twins.endings import Endings
from bot.twins.forgotten import Forgotten
from bot.twins.paying import WhoPays
from bot.twins.publish import OperatorTerms, PublishTwin, missing_model
from bot.twins.recovery import Recovery
from bot.twins.registered import Registered
from bot.twins.roster import Roster
from bot.twins.running import RunningReplies
from bot.twins.turns import ConversationTurns
from bot.twins.withdrawal import WithdrawMessage
from bot.wiring.engine import Progress, RunningEngine
from bot.wiring.keys import ServiceKeys
from bot.wiring.rates import read_caps

TOKEN = "tUSD"  # noqa: S105 - the settlement token's symbol

_log = structlog.get_logger()


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
    states: ConversationStates
    paying: WhoPays
    rates: RateBook
    library: str


class TwinWiring:
    """Builds the use cases over one store and one engine."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        engine: RunningEngine,
        models: ServedModels,
        keys: ServiceKeys,
        clock: Clock,
        rates: RateBook,
        registered: Registered,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engine = engine
        self._models = models
        self._keys = keys
        self._clock = clock
        self._roster = Roster()
        self._turns = ConversationTurns()
        self._running = RunningReplies()
        self._forgotten = Forgotten(keys.erasures)
        self._rates = rates
        in_force = rates.in_force
        self._paying = WhoPays(
            caps=read_caps(settings.money),
            terms=PaidTerms(None if in_force is None else in_force.name, rates.platforms),
            digest=self._forgotten.digest_of,
            registry=registered.block,
        )
        self._registered = registered

    async def publish(self, personas: list[PersonaFile], progress: Progress) -> list[str]:
        """Make the personas' twins live, prefilling each, those of one model after each other.

        Returns:
            A sentence for the operator on each twin that rests because its model is away.

        Raises:
            ConfigurationError: a persona is too long.
        """
        publisher = PublishTwin(
            store=self._store,
            models=self._models,
            clock=self._clock,
            terms=self.terms(),
            creators=self._keys.creators,
            roster=self._roster,
        )
        notices = []
        for done, persona in enumerate(sorted(personas, key=lambda one: one.model)):
            progress("Prefilling personas", done / len(personas))
            served = self._models.named(persona.model)
            try:
                if served is not None:
                    await publisher.publish(persona)
                    continue
                sentence = missing_model(persona)
            except EngineCrashedError:
                if served is self._models.own:
                    raise
                sentence = (
                    f"The twin {persona.slug} rests: its model {persona.model} can't be started. "
                    "The log says why."
                )
            await publisher.rest(persona)
            _log.warning("twin.model_away", twin=persona.slug, model=persona.model)
            notices.append(sentence)
        progress("Prefilling personas", 1.0)
        return notices

    def terms(self) -> OperatorTerms:
        """Return what the operator puts into every manifest."""
        return OperatorTerms(
            signing_key=self._keys.receipts,
            vrf_key=self._keys.vrf,
            log=self._keys.log_verifier,
            token=TOKEN,
            operator_bp=self._settings.money.operator_bp,
            model=self._models.own.terms,
            library=self._engine.library,
        )

    def build(self) -> UseCases:
        """Build the use cases."""
        issuer = Issuer(
            signing_key=self._keys.receipts,
            build=self._engine.build,
            verdict="tolerant",  # each reply says what its own model's self-check has found
        )
        answer = self._answer(issuer)
        delivery = RecordDelivery(store=self._store, issuer=issuer)
        recovery = Recovery(
            store=self._store,
            roster=self._roster,
            answer=answer,
            delivery=delivery,
            clock=self._clock,
        )
        endings = Endings(issuer)
        return UseCases(
            roster=self._roster,
            answer=answer,
            delivery=delivery,
            withdrawal=WithdrawMessage(
                store=self._store,
                endings=endings,
                turns=self._turns,
                running=self._running,
                states=self._engine.engine,
            ),
            recovery=recovery,
            turns=self._turns,
            running=self._running,
            endings=endings,
            forgotten=self._forgotten,
            states=self._engine.engine,
            paying=self._paying,
            rates=self._rates,
            library=self._engine.library,
        )

    def _answer(self, issuer: Issuer) -> AnswerFan:
        from adapters.host.system import SystemEntropy

        limits = self._settings.limits
        return AnswerFan(
            roster=self._roster,
            store=self._store,
            models=self._models,
            issuer=issuer,
            vrf_key=self._keys.vrf,
            policy=AdmissionPolicy(
                limits.daily_messages,
                limits.message_chars,
                erased=self._forgotten.messages,
                cooldown=timedelta(seconds=limits.cooldown_seconds),
                paying=self._paying,
                registered=self._registered,
            ),
            clock=self._clock,
            entropy=SystemEntropy(),
            turns=self._turns,
            running=self._running,
        )
