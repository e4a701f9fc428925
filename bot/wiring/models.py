"""The models that a service runs on: that of the configuration, and those of the store.

Which twin runs on which is decided by its manifest; here each gets an engine, started when it is
needed (bot/wiring/pool.py).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from bot.config import ModelSettings
from bot.domain.errors import ConfigurationError
from bot.domain.model_record import ModelRecord, TemplateIds
from bot.ports.inference import InferenceEngine
from bot.ports.models import ServedModel, ServedModels
from bot.wiring.engine import (
    CheckedModel,
    EngineOptions,
    Progress,
    RunningEngine,
    check_model,
    open_engine,
    options_of,
)
from bot.wiring.inspection import inspect_file
from bot.wiring.pool import EnginePool
from bot.wiring.pool_model import PoolLimits, PoolModel, tell_nobody

MIB = 2**20
_log = structlog.get_logger()
CONVERSATIONS, LONGEST = 8, 4096
"""How many conversations of how many tokens are counted when a model's memory is estimated."""
OVERHEAD_BYTES = 128 * MIB


class Models(ServedModels):
    """The models of a running service."""

    def __init__(self, own: ServedModel, others: Sequence[ServedModel]) -> None:
        self._own = own
        self._others = tuple(one for one in others if one.terms.gguf != own.terms.gguf)
        self._named = {one.terms.name: one for one in others} | {own.terms.name: own, "": own}

    @property
    def own(self) -> ServedModel:
        """The model of whoever names none."""
        return self._own

    def named(self, name: str) -> ServedModel | None:
        """Return the model of that name, `own` for an empty one."""
        return self._named.get(name)

    def of(self, gguf: bytes) -> ServedModel | None:
        """Return the model whose file has that SHA-256."""
        return next((one for one in self.all() if one.terms.gguf == gguf), None)

    def all(self) -> tuple[ServedModel, ...]:
        """Return every model, `own` first."""
        return (self._own, *self._others)


@dataclass(frozen=True, slots=True)
class _File:
    """A model file to be loaded; `is_checked` once its hash was compared in this run."""

    model: PoolModel
    path: Path
    options: EngineOptions
    is_checked: bool


@dataclass(frozen=True, slots=True)
class CheckedModels:
    """Model files that were looked at; no engine is started yet.

    Attributes:
        own: the service's own; its hash was checked.
        template: its chat template.
        paths: the files by their SHA-256.
        faults: sentences on models of the store that can't be used.
    """

    own: CheckedModel
    template: TemplateIds
    records: tuple[ModelRecord, ...]
    paths: Mapping[bytes, Path]
    faults: tuple[str, ...]


async def check_models(settings: ModelSettings, progress: Progress) -> CheckedModels:
    """Check the service's own model, and read the store.

    Raises:
        ConfigurationError: the own model can't be used.
    """
    from adapters.files.model_store import ModelStore

    own = await check_model(settings, progress)
    store = ModelStore(Path(settings.store))
    content = store.content()
    progress("Reading the chat template", None)
    template = await _template_of(own, content.records)
    paths = {record.sha256: store.path_of(record) for record in content.records}
    paths[own.terms.gguf] = own.path
    return CheckedModels(own, template, content.records, paths, content.faults)


@dataclass(frozen=True, slots=True)
class OpenModels:
    """What `open_models` gives.

    Attributes:
        checked: the files.
        engine: the own model's engine, which loads it again after it had to make room.
    """

    checked: CheckedModels
    engine: RunningEngine
    served: Models


@asynccontextmanager
async def open_models(
    checked: CheckedModels, settings: ModelSettings, folder: Path | None, progress: Progress
) -> AsyncIterator[OpenModels]:
    """Load the service's own model; the others are loaded when a twin needs them.

    Args:
        checked: from `check_models`.
        settings: from the configuration.
        folder: of the engines' own, in the service's data folder; None: they keep nothing.
        progress: told of the long steps.

    Raises:
        ConfigurationError: the own model can't be used.
    """
    from adapters.llama.memory import available_bytes

    progress("Loading the model", None)
    garage = _Garage(settings.threads)
    terms = checked.own.terms
    options = options_of(settings, checked.own, folder or Path())
    own = garage.put(
        PoolModel(terms.gguf, terms.name, _needed(checked.own), checked.template, terms.size_bytes),
        checked.own.path,
        options if folder else replace(options, folder=""),
        is_checked=True,
    )
    models = [
        garage.put_record(record, checked.paths[record.sha256], own) for record in checked.records
    ]
    limits = PoolLimits(settings.loaded, settings.spare_mb * MIB, available_bytes)
    told = tell_nobody if folder is None else _log_event
    pool = EnginePool(load=garage.load, check=garage.check, limits=limits, told=told)
    try:
        await pool.load(own.model)
        served = Models(
            ServedModel(terms, pool.engine_of(own.model)),
            [
                ServedModel(record.terms, pool.engine_of(file.model))
                for record, file in zip(checked.records, models, strict=True)
            ],
        )
        running = replace(garage.started[terms.gguf], engine=served.own.engine)
        yield OpenModels(checked, running, served)
    finally:
        await pool.close()


def _log_event(event: str, model: PoolModel, reason: str) -> None:
    _log.info(event, model=model.name, reason=reason)


class _Garage:
    """Knows the files of the models and starts engines on them.

    Attributes:
        started: the latest engine of each model, with its library.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._files: dict[bytes, _File] = {}
        self.started: dict[bytes, RunningEngine] = {}

    def put(
        self, model: PoolModel, path: Path, options: EngineOptions, *, is_checked: bool
    ) -> _File:
        """Remember a file; the first one of a hash counts."""
        file = _File(model, path, options, is_checked)
        return self._files.setdefault(model.gguf, file)

    def put_record(self, record: ModelRecord, path: Path, own: _File) -> _File:
        """Remember a model of the store."""
        layers = own.options.gpu_layers if record.gpu_layers is None else record.gpu_layers
        options = replace(own.options, sha256=record.sha256.hex(), gpu_layers=layers)
        needed = needed_bytes(
            size_bytes=record.size_bytes,
            context_tokens=record.context_tokens,
            kv_bytes=record.kv_bytes,
        )
        model = PoolModel(record.sha256, record.name, needed, record.template, record.size_bytes)
        return self.put(model, path, options, is_checked=False)

    async def check(self, model: PoolModel) -> None:
        """Look whether a model's file is there, the first time also whether it is the right one.

        Raises:
            ConfigurationError: it is not.
        """
        file = self._files[model.gguf]
        if not file.is_checked:
            await check_file(file.path, model.gguf)
            self._files[model.gguf] = replace(file, is_checked=True)
        elif not await asyncio.to_thread(file.path.is_file):
            raise ConfigurationError(f"The model {file.path} is no longer there: restore it.")

    @asynccontextmanager
    async def load(self, model: PoolModel) -> AsyncIterator[InferenceEngine]:
        """Start an engine on a model whose file was checked."""
        file = self._files[model.gguf]
        async with open_engine(file.path, threads=self._threads, options=file.options) as running:
            self.started[model.gguf] = running
            yield running.engine


def find_stored(settings: ModelSettings, gguf: bytes) -> Path | None:
    """Return the file of the store that has a hash, as its record says; None if there is none."""
    from adapters.files.model_store import ModelStore

    store = ModelStore(Path(settings.store))
    records = store.content().records
    return next((store.path_of(record) for record in records if record.sha256 == gguf), None)


async def check_file(path: Path, gguf: bytes) -> None:
    """Compare a file of the store with its record.

    Raises:
        ConfigurationError: it can't be read, or is another one.
    """
    from adapters.files.models import check_model as hash_file

    found = await asyncio.to_thread(
        hash_file, path, expected_sha256=None, progress=lambda _fraction: None
    )
    if found.sha256 != gguf.hex():
        raise ConfigurationError(
            f"The model {path} is not what was added: its SHA-256 is {found.sha256}, its record "
            f"says {gguf.hex()}. Remove it and add it once more."
        )


def needed_bytes(*, size_bytes: int, context_tokens: int, kv_bytes: int) -> int:
    """Return the memory that a model takes, roughly: weights, eight long conversations, a rest."""
    return size_bytes + CONVERSATIONS * min(context_tokens, LONGEST) * kv_bytes + OVERHEAD_BYTES


def _needed(checked: CheckedModel) -> int:
    from adapters.files.gguf_header import read_header

    return read_header(checked.path).needed_bytes


async def _template_of(checked: CheckedModel, records: Sequence[ModelRecord]) -> TemplateIds:
    """Return the own model's template: from the store, or compiled now."""
    for record in records:
        if record.sha256 == checked.terms.gguf:
            return record.template
    template, _ = await inspect_file(checked.path)
    return template
