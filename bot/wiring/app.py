"""The running service: opens things in the order in which they depend on each other.

What can be refused is refused before anything is written: the platforms' tokens, personas, model,
port, then the lock on the data folder. Everything is closed in reverse order.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.audit.run import Audit
from bot.config import Settings
from bot.creators.shelf import check_names
from bot.credit.rates import RateBook
from bot.domain.wording import STARTER_NOTE
from bot.logs import configure_logs
from bot.ports.clock import Clock
from bot.ports.credit import FanCredit
from bot.ports.personas import PersonaFile
from bot.receipts.source import StoredProofs
from bot.service import Service
from bot.settlement.publish import EpochPublisher
from bot.settlement.published import PublishedEpochs
from bot.twins.inbox import Inbox
from bot.twins.registered import Registered
from bot.twins.roster import Roster
from bot.wiring.creators import Creators, CreatorsWiring
from bot.wiring.credit import build_credit
from bot.wiring.engine import ROOT, CheckedModel, Progress, RunningEngine
from bot.wiring.fans import build_inbox, open_fans_data
from bot.wiring.keys import ServiceKeys
from bot.wiring.models import OpenModels, check_models, open_models
from bot.wiring.own_log import OpenLog, auditors_desk, open_checked_log
from bot.wiring.platforms import (
    NO_PLATFORMS,
    Access,
    Doors,
    Platforms,
    build_platforms,
    read_access,
)
from bot.wiring.rates import check_rates, open_money
from bot.wiring.registry import open_registered
from bot.wiring.rpc_chain import RpcChain, read_rpc_chain
from bot.wiring.running import build_audit, build_service
from bot.wiring.settlement import open_settlement
from bot.wiring.starting import check_personas, check_wanted
from bot.wiring.stores import DATABASE, Stores, open_stores
from bot.wiring.trust_file import write_policy
from bot.wiring.twins import TOKEN, TwinWiring, UseCases
from bot.wiring.web import base_url_of, open_web

KEYS, PROOFS, ENGINE = "keys", "proofs", "engine"
LOG = "twinproof.log"


@dataclass(frozen=True, slots=True)
class App:
    """The running service as the command line holds it.

    Attributes:
        recovered: replies that a crash had left open and that are finished now.
        exact: whether the startup self-check found the exact profile to hold.
        notices: sentences for the operator on what is missing without stopping the rest.
    """

    base_url: str
    folder: Path
    models: OpenModels
    notices: tuple[str, ...]
    exact: bool
    inbox: Inbox
    proofs: StoredProofs
    service: Service
    settlement: EpochPublisher
    audit: Audit
    recovered: int
    platforms: Platforms
    creators: Creators
    credit: FanCredit

    @property
    def model(self) -> CheckedModel:
        """The service's own model."""
        return self.models.checked.own

    @property
    def engine(self) -> RunningEngine:
        """The service's own model's engine."""
        return self.models.engine

    def path_of(self, gguf: bytes) -> Path:
        """Return the file of a model that this service has: the own one's where it is unknown."""
        return self.models.checked.paths.get(gguf, self.model.path)

    def save_proof(self, receipt_id: str, bundle: bytes) -> Path:
        """Keep the fan's own copy of a bundle in the data folder."""
        from adapters.files.proofs import ProofFolder

        return ProofFolder(self.folder / PROOFS).save(receipt_id, bundle)


@asynccontextmanager
async def open_app(
    settings: Settings, *, progress: Progress, wanted: str | None = None, serving: bool = False
) -> AsyncIterator[App]:
    """Build and start the service; it is stopped and closed when the block ends.

    Args:
        settings: from the configuration.
        progress: told of the long steps.
        wanted: slug of a twin that must be served.
        serving: build the chat platforms that the settings name; they are run by the caller.

    Raises:
        UnknownTwinError: there is no persona of the wanted twin.
        ConfigurationError: one sentence that says what the operator has to change.
        PersonaError: a persona file breaks a rule.
    """
    from adapters.files.data_folder import DataFolder
    from adapters.files.personas import load_personas
    from adapters.host.system import check_port, raise_file_limit

    async with AsyncExitStack() as stack:
        access = read_access(settings, base_url_of(settings)) if serving else None
        personas = load_personas(Path(settings.personas.folder or ROOT / "personas"))
        check_wanted(wanted, personas)
        check_rates(settings.money)
        rpc = await read_rpc_chain(settings.settlement)
        checked = await check_models(settings.model, progress)
        check_port(settings.service.host, settings.service.port)
        folder = DataFolder.claim(settings.service.data_dir)
        stack.callback(folder.release)
        configure_logs(settings.log.level, folder.path / LOG)
        models = await stack.enter_async_context(
            open_models(checked, settings.model, folder.path / ENGINE, progress)
        )
        await check_personas(models.served, personas, wanted)
        folder.use()
        raise_file_limit()
        builder = _Builder(
            settings=settings,
            folder=folder.path,
            models=models,
            rpc=rpc,
            stack=stack,
            progress=progress,
        )
        yield await builder.build(personas, access)


class _Builder:
    """Puts the parts of one service together; every part that closes goes on the stack."""

    def __init__(
        self,
        *,
        settings: Settings,
        folder: Path,
        models: OpenModels,
        rpc: RpcChain | None,
        stack: AsyncExitStack,
        progress: Progress,
    ) -> None:
        from adapters.host.system import SystemClock

        self._settings = settings
        self._folder = folder
        self._models = models
        self._engine = models.engine
        self._rpc = rpc
        self._stack = stack
        self._progress = progress
        self._clock: Clock = SystemClock()
        self._keys = ServiceKeys.load(folder / KEYS, fresh=not (folder / DATABASE).exists())

    async def build(self, personas: list[PersonaFile], access: Access | None) -> App:
        """Open the stores, bring twins and chain up, recover, and open the doors last."""
        enter, money = self._stack.enter_async_context, self._settings.money
        self._progress("Opening the book", None)
        stores = await enter(open_stores(self._folder))
        self._progress("Opening the chain", None)
        settled = await enter(
            open_settlement(self._rpc, self._folder, self._keys, self._clock, stores, money=money)
        )
        self._keys, log = await enter(
            open_checked_log(self._settings.log, self._folder, self._keys, stores, settled.chain)
        )
        rates = await open_money(stores.replies, self._keys.receipts, money, token=TOKEN)
        registered = await enter(open_registered(self._rpc, self._clock))
        twins = self._twins(stores, rates, registered)
        await check_names(stores.creators, [persona.slug for persona in personas])
        notices = [*self._models.checked.faults, *await twins.publish(personas, self._progress)]
        cases = twins.build()
        room = self._room(stores, cases, twins)
        await room.shelf.open(self._progress)
        saved, base_url = self._folder / PROOFS, base_url_of(self._settings)
        privacy = await open_fans_data(saved, stores, cases, self._clock, base_url=base_url)
        recovered = await cases.recovery.run()
        creators = await room.build(settled, lambda: self._write_policy(cases.roster))
        inbox = build_inbox(stores, settled.chain, cases, privacy, base_url=base_url)
        self._stack.push_async_callback(inbox.drain)
        proofs = log.proofs(stores.replies, self._keys.log_signer, settled.anchors)
        credit = build_credit(
            self._settings, stores, cases, self._models, proofs=proofs, clock=self._clock
        )
        service = await enter(
            build_service(self._settings, self._keys, stores, cases, settled=settled, credit=credit)
        )
        secrets = stores.secrets(self._keys.secrets)
        doors = Doors(inbox, proofs, creators.desk, secrets, base_url, credit.door)
        platforms = await self._open_doors(stores, doors, creators, access, log)
        self._write_policy(cases.roster)
        return App(
            base_url=base_url,
            folder=self._folder,
            models=self._models,
            notices=(*notices, *settled.notices),
            exact=(await self._engine.engine.info()).profile_exact,
            inbox=inbox,
            proofs=proofs,
            service=service,
            settlement=settled.publisher,
            audit=build_audit(self._settings, self._keys, stores, settled),
            recovered=recovered,
            platforms=platforms,
            creators=creators,
            credit=credit.door,
        )

    async def _open_doors(
        self,
        stores: Stores,
        doors: Doors,
        creators: Creators,
        access: Access | None,
        log: OpenLog,
    ) -> Platforms:
        """Make the platforms' surfaces, and open the log and the pages to others."""
        platforms = NO_PLATFORMS
        if access is not None:
            platforms = build_platforms(self._settings, access, stores, doors)
        await self._stack.enter_async_context(
            open_web(
                self._settings,
                doors,
                platforms,
                signing=creators.signing,
                log=log.public,
                verdicts=auditors_desk(self._settings.log, stores.replies, self._keys, log.public),
                settlement=PublishedEpochs(store=stores.epochs, earnings=stores.earnings),
                statements=creators.statements,
                note=STARTER_NOTE if self._models.checked.own.starter else "",
            )
        )
        return platforms

    def _room(self, stores: Stores, cases: UseCases, twins: TwinWiring) -> CreatorsWiring:
        return CreatorsWiring(
            settings=self._settings,
            stores=stores,
            models=self._models.served,
            cases=cases,
            terms=twins.terms(),
            clock=self._clock,
            base_url=base_url_of(self._settings),
        )

    def _twins(self, stores: Stores, rates: RateBook, registered: Registered) -> TwinWiring:
        return TwinWiring(
            settings=self._settings,
            store=stores.replies,
            engine=self._engine,
            models=self._models.served,
            keys=self._keys,
            clock=self._clock,
            rates=rates,
            registered=registered,
        )

    def _write_policy(self, roster: Roster) -> None:
        """Write down this operator's public keys as a verifier wants them."""
        log = self._keys.log_verifier.encode()
        write_policy(self._folder, roster.creators(), log, self._settings.settlement)
