"""The operator's side of models: add, list, verify, remove."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from bot.config import Settings
from bot.domain.errors import ConfigurationError, TransientError, UserError
from bot.domain.manifest import parse_manifest
from bot.domain.model_record import MAX_ADDRESS, ModelRecord, TemplateIds
from bot.domain.printable import printable
from bot.wiring.engine import ROOT, EngineOptions, Progress, open_engine
from bot.wiring.inspection import inspect_file
from bot.wiring.models import needed_bytes
from bot.wiring.stores import DATABASE, open_stores

if TYPE_CHECKING:
    from adapters.files.gguf_file import ModelFacts
    from adapters.files.model_store import ModelStore, StoreContent

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be added.

    Attributes:
        source: a file, or an https address.
        name: empty: the file's.
        sha256: expected, in hex; empty: any, if `accept` says so.
        gpu_layers: for this model; None: as the configuration says.
        is_tried: whether it is started once.
    """

    source: str
    name: str = ""
    sha256: str = ""
    gpu_layers: int | None = None
    is_tried: bool = True


@dataclass(frozen=True, slots=True)
class Added:
    """A model that is in the store now; `is_exact` is None where it was not tried."""

    record: ModelRecord
    path: Path
    is_exact: bool | None


def open_store(settings: Settings) -> "ModelStore":
    """Return the store of the configuration; nothing is made."""
    from adapters.files.model_store import ModelStore

    return ModelStore(Path(settings.model.store))


def list_models(settings: Settings) -> "StoreContent":
    """Return what is in the store."""
    return open_store(settings).content()


async def add_model(
    settings: Settings,
    wanted: Wanted,
    *,
    accept: Callable[[ModelRecord], bool],
    progress: Progress,
) -> Added:
    """Take a model in; where it is refused nothing of it stays.

    Args:
        settings: from the configuration.
        wanted: what.
        accept: asked about a file whose hash nobody has stated.
        progress: told of the long steps.

    Raises:
        ConfigurationError: it can't be used, or is not the one that was meant.
        UserError: it was not accepted.
        TransientError: the download was cut; the same command goes on with it.
    """
    from adapters.files.model_store import check_name
    from adapters.web.download import check_address

    if is_address(wanted.source):
        check_address(wanted.source, wanted.source)
    store = open_store(settings)
    name = check_name(wanted.name or name_of(wanted.source))
    with store.locked():
        found = store.find(name)
        if found is not None:
            raise ConfigurationError(
                f"There is a model {name} already, with SHA-256 {found.sha256.hex()}: remove it "
                "first, or give this one another --name."
            )
        async with _staged(store, wanted.source, name, progress) as (staged, facts, template):
            record = await _describe(staged, facts, template, wanted, progress)
            _check_hash(store, record, wanted)
            if not wanted.sha256 and not accept(record):
                raise UserError("The model was not added: its hash was not confirmed.")
            is_exact = await _try(staged, settings, wanted, progress) if wanted.is_tried else None
            store.put(staged, record)
    return Added(record, store.path_of(record), is_exact)


def name_of(source: str) -> str:
    """Return the name of a model after its file."""
    path = unquote(urlsplit(source).path) if is_address(source) else source
    return PurePosixPath(path).name.removesuffix(".gguf")


def is_address(source: str) -> bool:
    """Whether a source is an address and no file."""
    return "://" in source


def _recorded(address: str) -> str:
    """Return an address for the record: what follows the path may be a key to the file."""
    return printable(urlsplit(address)._replace(query="", fragment="").geturl())[:MAX_ADDRESS]


@asynccontextmanager
async def _staged(
    store: "ModelStore", source: str, name: str, progress: Progress
) -> AsyncIterator[tuple[Path, "ModelFacts", TemplateIds]]:
    """Bring a file into the store's folder and look at it; it is gone again unless it is taken."""
    from adapters.web.download import Download

    if not is_address(source):
        path = Path(source)
        facts, template = await _look_at(path, progress)
        with store.copied(path, name, lambda done: progress("Copying the file", done)) as staged:
            yield staged, facts, template
        return
    staged = store.part_of(name)
    download = Download(
        source,
        staged,
        check_room=store.check_room,
        progress=lambda done: progress("Downloading", done),
    )
    try:
        await download.fetch()
        facts, template = await _look_at(staged, progress)
        yield staged, facts, template
    except (TransientError, asyncio.CancelledError, KeyboardInterrupt):
        raise  # what is here stays, for the next call
    except BaseException:
        download.discard()
        raise
    download.discard()


async def _look_at(path: Path, progress: Progress) -> tuple["ModelFacts", TemplateIds]:
    """Read a file's metadata, see that it fits into memory, and compile its template."""
    from adapters.files.gguf_file import read_facts
    from adapters.llama.memory import available_bytes

    facts = await asyncio.to_thread(read_facts, path)
    needed = needed_bytes(
        size_bytes=facts.size_bytes, context_tokens=facts.context_tokens, kv_bytes=facts.kv_bytes
    )
    free = available_bytes()
    if free is not None and needed > free:
        raise ConfigurationError(
            f"{path.name} needs about {needed / GIB:.1f} GiB of memory with its conversations, and "
            f"{free / GIB:.1f} GiB are free: choose a smaller model, or free some."
        )
    progress("Compiling the chat template", None)
    template, _ = await inspect_file(path)
    return facts, template


async def _describe(
    staged: Path, facts: "ModelFacts", template: TemplateIds, wanted: Wanted, progress: Progress
) -> ModelRecord:
    from adapters.files.gguf_file import digest_model
    from adapters.files.model_store import MODEL

    digests = await asyncio.to_thread(
        digest_model, staged, facts.tensors, lambda done: progress("Computing the hash", done)
    )
    return ModelRecord(
        name=staged.name.removesuffix(MODEL),
        file=staged.name,
        sha256=digests.sha256,
        size_bytes=facts.size_bytes,
        tensors=len(facts.tensors),
        tensors_root=digests.tensors_root,
        architecture=facts.architecture,
        quantisation=facts.quantisation,
        parameters=facts.parameters,
        context_tokens=facts.context_tokens,
        vocabulary=facts.vocabulary,
        kv_bytes=facts.kv_bytes,
        template=template,
        licence=facts.licence,
        licence_link=facts.licence_link,
        source=_recorded(wanted.source) if is_address(wanted.source) else "",
        gpu_layers=wanted.gpu_layers,
    )


def _check_hash(store: "ModelStore", record: ModelRecord, wanted: Wanted) -> None:
    found = record.sha256.hex()
    if wanted.sha256 and wanted.sha256.lower() != found:
        raise ConfigurationError(
            f"This is not the model that was meant: its SHA-256 is {found}, expected "
            f"{wanted.sha256.lower()}. Nothing was kept."
        )
    for other in store.content().records:
        if other.sha256 == record.sha256:
            raise ConfigurationError(f"This model is here already, under the name {other.name}.")


async def _try(staged: Path, settings: Settings, wanted: Wanted, progress: Progress) -> bool:
    """Start the model once; return whether its replies will be exact here."""
    progress("Starting it once", None)
    layers = settings.model.gpu_layers if wanted.gpu_layers is None else wanted.gpu_layers
    options = EngineOptions(context=settings.model.context, gpu_layers=layers)
    async with open_engine(staged, threads=settings.model.threads, options=options) as running:
        return (await running.engine.info()).profile_exact


async def verify_model(
    settings: Settings, record: ModelRecord, progress: Callable[[float], None]
) -> str:
    """Read every byte of a model again; return what is wrong with it, or nothing."""
    from adapters.files.gguf_file import digest_model, read_facts

    path = open_store(settings).path_of(record)
    facts = await asyncio.to_thread(read_facts, path)
    found = await asyncio.to_thread(digest_model, path, facts.tensors, progress)
    if found.sha256 == record.sha256 and found.tensors_root == record.tensors_root:
        return ""
    if found.tensors_root == record.tensors_root:
        return f"its weights are the same, its metadata is not: SHA-256 {found.sha256.hex()}"
    return f"its weights are others: SHA-256 {found.sha256.hex()}"


async def remove_model(settings: Settings, name: str, *, is_forced: bool) -> ModelRecord:
    """Take a model out of the store.

    Raises:
        ConfigurationError: there is none of that name, or a twin needs it.
    """
    store = open_store(settings)
    record = find_model(settings, name)
    if not is_forced and (users := await _users(settings, record)):
        raise ConfigurationError(
            f"The model {name} is needed by {', '.join(users)}: have them use another one first, "
            "or add --force, and they will rest."
        )
    with store.locked():
        store.remove(record)
    return record


def find_model(settings: Settings, name: str) -> ModelRecord:
    """Return the record of a model in the store.

    Raises:
        ConfigurationError: there is none of that name.
    """
    content = list_models(settings)
    found = next((one for one in content.records if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in content.records) or "none"
        raise ConfigurationError(f"There is no model {name!r} in the store. Models: {names}.")
    return found


def _is_same(left: Path, right: Path) -> bool:
    return left.absolute() == right.absolute()


async def _users(settings: Settings, record: ModelRecord) -> list[str]:
    """Return which twins a model is needed by, and the configuration if that names it."""
    from adapters.files.personas import load_personas

    personas = load_personas(Path(settings.personas.folder or ROOT / "personas"))
    users = {f"the twin {file.slug}" for file in personas if file.model == record.name}
    if (settings.service.data_dir / DATABASE).exists():
        async with (
            open_stores(settings.service.data_dir, read_only=True) as stores,
            stores.replies.reading() as tx,
        ):
            newest = [await tx.latest_manifest(twin) for twin in await tx.published_twins()]
        manifests = [parse_manifest(one.body) for one in newest if one is not None]
        users |= {f"the twin {m.slug}" for m in manifests if m.model.gguf == record.sha256}
    own = settings.model.path
    if own and _is_same(Path(own), open_store(settings).path_of(record)):
        users.add("[model] path")
    return sorted(users)
