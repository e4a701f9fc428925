"""An operator's check-up: every part is looked at once, and no failing check stops the others."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from bot.config import Settings
from bot.crypto.eip712 import address_of, parse_address
from bot.domain.errors import BotError, ConfigurationError
from bot.domain.ledger import EQUITY, SPONSOR
from bot.domain.manifest import parse_manifest
from bot.domain.money import NANO
from bot.ports.checks import DataFolderFacts, Finding, State
from bot.ports.models import ServedModels
from bot.ports.personas import PersonaFile
from bot.wiring import model_verdicts, platform_verdicts, verdicts
from bot.wiring.app import KEYS
from bot.wiring.chain_checks import look_at_rpc_chain
from bot.wiring.engine import ROOT, Progress
from bot.wiring.epoch_checks import look_at_epochs
from bot.wiring.keys import ServiceKeys
from bot.wiring.log_checks import look_at_log
from bot.wiring.models import CheckedModels, check_models, open_models
from bot.wiring.platform_checks import PlatformChecks
from bot.wiring.stores import CHAIN, DATABASE, open_stores
from bot.wiring.web import base_url_of

Check = Callable[[], Awaitable[list[Finding]]]

BEGINS = "it will be made at the first start."
_SEE_LOG = "Mend what the sentence names; twinproof serve refuses to start until then."


async def examine(settings: Settings, progress: Progress) -> AsyncIterator[Finding]:
    """Look at everything that a service with these settings needs; findings come one by one.

    Nothing is written. A running service is not disturbed.
    """
    progress("Looking at the data folder", None)
    doctor = _Doctor(settings, progress)
    platforms = PlatformChecks(settings, is_serving=doctor.folder.is_held)
    checks: list[tuple[str, Check]] = [
        ("data folder", doctor.data_folder),
        ("keys", doctor.keys),
        ("personas", doctor.personas),
        ("model", doctor.model),
        ("engine", doctor.engine),
        ("port", doctor.port),
        ("public address", doctor.public_address),
        ("platforms", platforms.configured),
        ("Discord", platforms.discord),
        ("Telegram", platforms.telegram),
        ("clock", platforms.clock),
        ("book", doctor.book),
        ("bots' twins", doctor.twins),
        ("chain", doctor.chain),
        ("witnesses", functools.partial(look_at_log, settings)),
    ]
    for name, check in checks:
        progress(f"Checking: {name}", None)
        for finding in await guarded(name, check):
            yield finding


async def guarded(name: str, check: Check) -> list[Finding]:
    """Run a check; whatever goes wrong is its finding."""
    try:
        return await check()
    except BotError as error:
        return [Finding(name, State.FAULT, str(error), _SEE_LOG)]
    except OSError as error:
        return [Finding(name, State.FAULT, f"it can't be read: {error.strerror}.", _SEE_LOG)]
    except Exception as error:  # noqa: BLE001 - a bug in one check must not hide the others
        # The text of a foreign error may hold an address with a token.
        what = f"this check itself failed ({type(error).__name__})."
        return [Finding(name, State.FAULT, what, "Please report it; the other checks stand.")]


class _Doctor:
    """The checks of this machine; later ones use what earlier ones have found."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        from adapters.host.checks import look_at_data_folder

        self._settings = settings
        self._progress = progress
        self._path = settings.service.data_dir
        self.folder: DataFolderFacts = look_at_data_folder(self._path)
        self._personas: list[PersonaFile] = []
        self._published: set[str] | None = None
        self._models: CheckedModels | None = None
        self._left_nano = int(Decimal(settings.money.sponsorship) * NANO)

    async def data_folder(self) -> list[Finding]:
        """Look at the folder and its disk."""
        return [
            verdicts.judge_data_folder(self._path, self.folder),
            verdicts.judge_disk(self.folder),
        ]

    async def keys(self) -> list[Finding]:
        """Look at who may read the keys, and whether all of them are there."""
        from adapters.host.checks import find_open_files

        folder = self._path / KEYS
        if not folder.exists() and not self._has_book:
            return [Finding("keys", State.OK, "they will be made at the first start.")]
        if self._has_book:
            ServiceKeys.load(folder, fresh=False)
        return [verdicts.judge_keys(find_open_files(folder), folder)]

    async def personas(self) -> list[Finding]:
        """Read the persona files."""
        from adapters.files.personas import load_personas

        self._personas = load_personas(Path(self._settings.personas.folder or ROOT / "personas"))
        names = ", ".join(file.slug for file in self._personas)
        return [Finding("personas", State.OK, f"{len(self._personas)} can be used: {names}.")]

    async def model(self) -> list[Finding]:
        """Hash the model and compare what it needs with what is free."""
        from adapters.files.gguf_header import read_header
        from adapters.host.checks import free_memory_bytes

        checked = await check_models(self._settings.model, self._progress)
        model = checked.own
        header = await asyncio.to_thread(read_header, model.path)
        found = verdicts.judge_model(
            model.terms.name,
            header,
            free_memory_bytes(),
            is_pinned=model.starter or bool(self._settings.model.sha256),
        )
        if found.state is not State.FAULT:
            self._models = checked
        return [found, *model_verdicts.judge_store(checked.records, checked.faults)]

    async def engine(self) -> list[Finding]:
        """Start an engine process once, and see whether the personas fit its context."""
        if self._models is None:
            return [Finding("engine", State.SKIPPED, "not started: the model can't be used.")]
        begun = time.monotonic()
        settings = self._settings.model
        async with open_models(self._models, settings, None, self._progress) as models:
            running = models.engine
            info = await running.engine.info()
            seconds = time.monotonic() - begun
            facts = verdicts.EngineFacts(
                running.library, running.remark, info.profile_exact, seconds
            )
            findings = [verdicts.judge_engine(facts)]
            for persona in sorted(self._personas, key=lambda one: one.model):
                look = functools.partial(_fits, models.served, persona)
                findings += await guarded(f"persona {persona.slug}", look)
        return findings

    async def port(self) -> list[Finding]:
        """See whether the web pages' port is free, or held by this very service."""
        from adapters.host.checks import answers_http
        from adapters.host.system import check_port

        service = self._settings.service
        try:
            check_port(service.host, service.port)
        except BotError as error:
            host = "127.0.0.1" if service.host in {"", "0.0.0.0"} else service.host  # noqa: S104
            ours = self.folder.is_held and await answers_http(
                f"http://{host}:{service.port}/healthz"
            )
            return [
                verdicts.judge_port(
                    service.host, service.port, is_free=False, is_ours=ours, reason=str(error)
                )
            ]
        return [verdicts.judge_port(service.host, service.port, is_free=True, is_ours=False)]

    async def public_address(self) -> list[Finding]:
        """Say what proof links will look like."""
        telegram = self._settings.telegram
        has_platforms = bool(self._settings.discord.token_file or telegram.bots)
        webhook = bool(telegram.bots and telegram.webhook_secret_file)
        return [
            verdicts.judge_public_address(
                base_url_of(self._settings), has_platforms=has_platforms, webhook=webhook
            )
        ]

    async def book(self) -> list[Finding]:
        """Open the book for reading, and see what is left of the sponsorship."""
        budget = self._left_nano
        if not self._has_book:
            self._published = set()
            return [Finding("book", State.OK, BEGINS), verdicts.judge_sponsorship(budget, budget)]
        async with (
            open_stores(self._path, read_only=True) as stores,
            stores.replies.reading() as tx,
        ):
            balances = {name: await tx.balance(name) for name in (EQUITY, SPONSOR)}
            newest = [await tx.latest_manifest(twin) for twin in await tx.published_twins()]
        manifests = [parse_manifest(one.body) for one in newest if one is not None]
        self._published = {manifest.slug for manifest in manifests}
        self._left_nano = verdicts.left_of_sponsorship(balances, budget)
        own = {persona.slug for persona in self._personas}  # signed anew with each new model
        foreign = [manifest for manifest in manifests if manifest.slug not in own]
        here = set() if self._models is None else set(self._models.paths)
        return [
            Finding("book", State.OK, "it opens and has this version's form."),
            verdicts.judge_sponsorship(self._left_nano, budget),
            *([] if self._models is None else model_verdicts.judge_twins(foreign, here)),
        ]

    async def twins(self) -> list[Finding]:
        """See whether the twins that bots are made for exist; nothing to say is no line."""
        wanted = {bot.token_file: bot.twin for bot in self._settings.telegram.bots if bot.twin}
        if not wanted:
            return []
        if self._published is None or not self._personas:
            return [Finding("bots' twins", State.SKIPPED, "the twins could not be read.")]
        known = self._published | {persona.slug for persona in self._personas}
        return platform_verdicts.judge_twins(wanted, known)

    async def chain(self) -> list[Finding]:
        """Look at contract and treasury, on a copy of the embedded chain or on the real one."""
        from adapters.evm.client import EvmSettlementChain
        from adapters.evm.embedded import EmbeddedChain

        found = await look_at_rpc_chain(
            self._settings.settlement, self._path, self._left_nano, self._settings.money
        )
        if found is not None:
            return found
        if not (self._path / CHAIN).exists():
            return [Finding("chain", State.OK, BEGINS)]
        keys = ServiceKeys.load(self._path / KEYS, fresh=False)
        treasury = parse_address(address_of(keys.treasury))
        embedded = await EmbeddedChain.open_snapshot(self._path / CHAIN)
        try:
            where = embedded.deployment.settlement
            chain = EvmSettlementChain(provider=embedded.provider, settlement=where)
            identity = await chain.identity()
            height = (await embedded.request("eth_blockNumber", []))["result"]
            held = await chain.balance(treasury)
            said = (await chain.contract()).commitment
        finally:
            await embedded.close()
        number = int(height, 16) if isinstance(height, str) else int(height)
        return [
            verdicts.judge_chain(identity.chain_id, number, held, self._left_nano),
            *await look_at_epochs(said, self._path),
        ]

    @property
    def _has_book(self) -> bool:
        return (self._path / DATABASE).exists()


async def _fits(models: ServedModels, persona: PersonaFile) -> list[Finding]:
    """See whether a persona's model is here and takes it; one that fits is not worth a line."""
    from bot.twins.publish import check_persona, missing_model

    served = models.named(persona.model)
    if served is None:
        raise ConfigurationError(missing_model(persona))
    await check_persona(served.engine, persona)
    return []
