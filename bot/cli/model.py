"""`model`: the weights that twins speak with: add, list, verify, remove; the starter's card."""

import asyncio
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bot.cli import printing
from bot.cli.model_words import describe, model_words
from bot.config import ModelSettings, Settings, load_settings
from bot.domain.errors import ConfigurationError
from bot.domain.model_record import ModelRecord
from bot.wiring import model_store
from bot.wiring.engine import STARTER, check_model, no_progress

CARD = STARTER.with_name("MODEL_CARD.md")
CONFIG = Path("config.toml")
DEMO_DATA = Path("data/demo")
EMPTY = "There is no model in the store yet: twinproof model add FILE|URL"

_config = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file. Default: config.toml, if there is one.",
)


@click.group()
def model() -> None:
    """Look after the models that twins speak with.

    The starter model of this tree is for trying the service. docs/models.md says which other ones
    work, and how to put one in its place.
    """


@model.command()
@click.argument("source", metavar="FILE|URL")
@click.option("--name", default="", help="Under which personas name it. Default: the file's name.")
@click.option("--sha256", default="", metavar="HEX", help="The file's hash, from where you trust.")
@click.option("--yes", is_flag=True, help="Take the file whatever its hash is.")
@click.option("--gpu-layers", type=click.IntRange(-1, 10_000), help="For this model. -1: all.")
@click.option("--untried", is_flag=True, help="Don't start it once to see whether it runs.")
@_config
def add(source: str, *, config: Path | None, yes: bool, untried: bool, **given: Any) -> int:  # noqa: ANN401
    """Take a GGUF file into the store, from this machine or over https.

    Its hash, its tensors, its architecture and its chat template are looked at once, here; what
    can't be used is refused, and nothing of it stays. A download that was cut goes on where it
    stopped when the same command is given again.

    \b
    twinproof model add ./some-chat-model-q8_0.gguf
    twinproof model add https://HOST/some-chat-model-q8_0.gguf --sha256 HEX
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    if not given["sha256"] and not yes and not sys.stdin.isatty():
        raise click.UsageError("say which file you mean with --sha256 HEX, or add --yes")
    if given["sha256"] and not _is_hash(given["sha256"]):
        raise click.UsageError("--sha256 takes 64 hexadecimal digits")
    wanted = model_store.Wanted(source=source, is_tried=not untried, **given)
    return asyncio.run(_add(_settings(config), wanted, is_agreed=yes))


async def _add(settings: Settings, wanted: model_store.Wanted, *, is_agreed: bool) -> int:
    with printing.step_bar() as bar:

        def accept(record: ModelRecord) -> bool:
            if is_agreed:
                return True
            with bar.paused():
                printing.say(model_words(record))
                return click.confirm("Is this the hash that you expected?", err=True)

        added = await model_store.add_model(settings, wanted, accept=accept, progress=bar)
    printing.print_result(model_words(added.record))
    if added.is_exact:
        printing.say("Tried here: the exact profile holds, so its replies replay bit for bit.")
    elif added.is_exact is not None:
        printing.say(
            "Tried here: it runs, and its replies are marked tolerant: a replay weighs tokens "
            "instead of comparing bits."
        )
    if not added.record.is_exact:
        printing.say(
            "Its weights are not Q8_0 throughout, for which exact replay was measured on many "
            "machines: the self-check of each start decides what its receipts say."
        )
    printing.say(
        f'A persona uses it with   model = "{added.record.name}"\n'
        f'All twins do with [model]  path = "{added.path}"\n'
        f'                         sha256 = "{added.record.sha256.hex()}"'
    )
    return 0


@model.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print the records as one JSON array.")
@_config
def list_(config: Path | None, *, as_json: bool) -> int:
    """List the models in the store, with their hashes."""
    content = model_store.list_models(_settings(config))
    if as_json:
        printing.print_json([describe(record) for record in content.records])
    else:
        for record in content.records:
            printing.print_result(model_words(record))
        if not content.records:
            printing.say(EMPTY)
    for fault in content.faults:
        printing.say(fault)
    return 2 if content.faults else 0


@model.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@_config
def verify(names: tuple[str, ...], config: Path | None) -> int:
    """Read models again, byte for byte, and compare them with what was added. Default: all."""
    settings = _settings(config)
    if names:
        chosen = [model_store.find_model(settings, name) for name in names]
        return asyncio.run(_verify(settings, chosen))
    content = model_store.list_models(settings)
    if not content.records and not content.faults:
        printing.say(EMPTY)
        return 0
    for fault in content.faults:
        printing.refuse(fault)
    code = asyncio.run(_verify(settings, content.records)) if content.records else 0
    return 1 if content.faults else code


async def _verify(settings: Settings, records: Sequence[ModelRecord]) -> int:
    wrong = 0
    for record in records:
        with printing.step_bar() as bar:
            try:
                fault = await model_store.verify_model(
                    settings, record, functools.partial(bar, f"Reading {record.name}")
                )
            except ConfigurationError as error:
                fault = str(error)
        if fault:
            wrong += 1
            printing.refuse(f"The model {record.name} is not what was added: {fault}")
        else:
            printing.print_result(model_words(record))
    if not wrong:
        printing.say(f"Verified: {len(records)} of {len(records)} are what was added.")
    return 1 if wrong else 0


@model.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also if twins need it: they rest then.")
@_config
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder whose twins are asked. Default: that of config.toml, else data/demo.",
)
def remove(name: str, config: Path | None, data: Path | None, *, force: bool) -> int:
    """Take a model out of the store, unless a twin needs it."""
    settings = _settings(config, data)
    record = asyncio.run(model_store.remove_model(settings, name, is_forced=force))
    printing.say(f"Removed {record.name}, {record.size_bytes / 2**20:.0f} MiB.")
    return 0


@model.command()
@click.argument("name", required=False)
@_config
def card(name: str | None, config: Path | None) -> int:
    """Print what the starter model is, or what is known of a model in the store."""
    if name is None:
        return asyncio.run(print_card())
    printing.print_result(model_words(model_store.find_model(_settings(config), name)))
    return 0


def _settings(config: Path | None, data: Path | None = None) -> Settings:
    settings = load_settings(config or (CONFIG if CONFIG.exists() else None))
    if data is None and "data_dir" in settings.service.model_fields_set:
        return settings
    service = settings.service.model_copy(update={"data_dir": data or DEMO_DATA})
    return settings.model_copy(update={"service": service})


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(char in "0123456789abcdefABCDEF" for char in text)  # noqa: PLR2004


async def print_card(page: Path = CARD) -> int:
    """Print the starter's card, after checking that it is about the file that is here.

    Args:
        page: the card, in Markdown.

    Raises:
        ConfigurationError: a file is missing or damaged, or the card is about another file.
    """
    text = await asyncio.to_thread(_read, page)
    checked = await check_model(ModelSettings(), no_progress)
    digest = checked.terms.gguf.hex()
    if digest not in text:
        raise ConfigurationError(
            f"The card {page} is about another file than {checked.path.name}, whose SHA-256 is "
            f"{digest}: restore both from the same version."
        )
    if printing.out.is_terminal:
        from rich.markdown import Markdown

        printing.out.print(Markdown(text), soft_wrap=False)
    else:
        printing.print_result(text.rstrip("\n"))
    printing.say(f"Checked: {checked.path.name} here has the SHA-256 {digest}, as this card says.")
    return 0


def _read(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The model card {page} can't be read ({error.strerror}): restore the file."
        ) from error
