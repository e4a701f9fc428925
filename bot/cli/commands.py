"""The commands: parse, call one use case, print, return an exit code.

Exit codes: 0 done; 1 the evidence is false or an audit found a fault; 2 the command or the
configuration is wrong; 3 something that may succeed later is out of reach; 4 what is stored
contradicts itself, or the program has a bug.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import click

from bot.cli import auditors, credit, operating, printing, statements
from bot.cli.chain import chain
from bot.cli.log import log
from bot.cli.model import model
from bot.cli.monitor import monitor
from bot.cli.settle import settle
from bot.cli.sign import sign
from bot.cli.witness import witness
from bot.config import Settings, load_settings
from bot.domain import errors

FALSE, WRONG, LATER, BROKEN = 1, 2, 3, 4
DEMO_DATA = Path("data/demo")


def run(arguments: Sequence[str]) -> int:
    """Run the command line; every error of ours becomes one sentence and an exit code."""
    try:
        code = cli.main(args=list(arguments), prog_name="twinproof", standalone_mode=False)
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        printing.refuse(f"{error.format_message()} (twinproof --help lists what there is)")
        return WRONG
    except errors.BotError as error:
        return _refuse(error)
    return code if isinstance(code, int) else 0


def _refuse(error: errors.BotError) -> int:
    match error:
        case errors.VerificationError():
            printing.refuse(f"This proof is FALSE: {error}")
            return FALSE
        case errors.ConfigurationError() | errors.UserError():
            printing.refuse(str(error))
            return WRONG
        case errors.TransientError() | errors.OutcomeUnknownError():
            printing.refuse(str(error))
            return LATER
        case _:
            printing.refuse(f"Stopped, so as not to make it worse: {error}")
            return BROKEN


def _await(work: Coroutine[Any, Any, int]) -> int:
    return asyncio.run(work)


def _config_file(given: Path | None) -> Path | None:
    """Return the file to read: the one given, or config.toml where there is one."""
    default = Path("config.toml")
    return given or (default if default.exists() else None)


def _data_of(given: Path | None) -> Path:
    """Return the data folder that the commands of an outsider look at."""
    return given or _settings(None, None, None).service.data_dir


def _settings(config: Path | None, data: Path | None, port: int | None) -> Settings:
    settings = load_settings(_config_file(config))
    changed: dict[str, Any] = {}
    if data is not None or "data_dir" not in settings.service.model_fields_set:
        changed["data_dir"] = data or DEMO_DATA
    if port is not None:
        changed["port"] = port
    service = settings.service.model_copy(update=changed)
    return settings.model_copy(update={"service": service})


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option("0.1.0", prog_name="twinproof")
def cli() -> None:
    """Host AI twins whose every reply carries a proof that anyone can replay.

    \b
    Start here:   twinproof demo
    Check a link: twinproof verify 'http://127.0.0.1:8800/r/…#k=…'
    Recompute it: twinproof replay 'http://127.0.0.1:8800/r/…#k=…'
    """  # noqa: D301 - click reads the backspace as "keep these lines"


_config = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file. Default: config.toml, if there is one.",
)
_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder. Default: that of config.toml, else data/demo.",
)


@cli.command()
@_config
@_data
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the web pages. Default: 8800.")
@click.option("--twin", metavar="NAME", help="The twin to talk to: a persona's file name.")
@click.option("--say", "texts", multiple=True, metavar="TEXT", help="Say this, and leave. Repeat.")
@click.option("--json", "as_json", is_flag=True, help="With --say: one JSON object on stdout.")
def demo(  # noqa: PLR0917 - click passes them by name
    config: Path | None,
    data: Path | None,
    port: int | None,
    twin: str | None,
    texts: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - click passes flags by name
) -> int:
    """Run the whole service on embedded defaults and talk to a twin.

    Opens a chat here in the terminal and the same chat at http://127.0.0.1:8800. Everything is
    kept in the data folder and is there again next time.

    \b
    twinproof demo
    twinproof demo --twin mira --say "hi, who are you?" --json
    """  # noqa: D301
    from bot.cli import demo as demo_command

    settings = _settings(config, data, port)
    if as_json and not texts:
        raise click.UsageError("--json needs at least one --say TEXT")
    if texts:
        return _await(demo_command.scripted(settings, twin=twin, texts=texts, as_json=as_json))
    return _await(demo_command.interactive(settings, twin=twin))


@cli.command()
@_config
@_data
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the web pages. Default: 8800.")
def serve(config: Path | None, data: Path | None, port: int | None) -> int:
    """Serve fans on the chat platforms that the configuration names, until Ctrl-C.

    Set [discord] token_file or [telegram] bots in config.toml first: docs/discord.md and
    docs/telegram.md say how. A platform that fails does not stop the other.
    """
    from bot.cli.serve import serve as serve_command

    settings = load_settings(_config_file(config))
    changed: dict[str, Any] = {}
    if data is not None:
        changed["data_dir"] = data
    if port is not None:
        changed["port"] = port
    service = settings.service.model_copy(update=changed)
    return _await(serve_command(settings.model_copy(update={"service": service})))


for _command in (
    *(operating.init, operating.doctor, sign, model, witness, monitor, log, settle, chain),
    *auditors.COMMANDS,
    *credit.COMMANDS,
    *statements.COMMANDS,
):
    cli.add_command(_command)


@cli.command()
@click.argument("link")
@auditors.trust
@_data
@click.option(
    "--rpc",
    "rpcs",
    multiple=True,
    metavar="URL",
    help="A node of your own choosing: ask it about the anchor. Repeat: all must agree.",
)
@click.option(
    "--verdicts",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Auditors' verdicts on it, kept from RECEIPT.verdicts. Default: where the link leads.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(  # noqa: PLR0917 - click passes them by name
    link: str,
    trust: Path | None,
    data: Path | None,
    rpcs: tuple[str, ...],
    verdicts: Path | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Check a proof link, a saved bundle FILE#k=KEY, or a disclosure, on this machine.

    Needs no trust in the service: every step is recomputed here. Without --trust the keys come
    from the proof itself, and the result is called self-consistent.

    With --rpc a blockchain is asked whether it names the log that the reply stands in (level L2).
    A chain, or a node of it, that the operator runs shows nothing. Exit codes then: 1 the chain
    says something else; 2 the node is of another chain; 3 not final yet, or out of reach.
    """
    from bot.cli import proofs

    return _await(
        proofs.verify(
            link, trust=trust, data=_data_of(data), rpcs=rpcs, verdicts=verdicts, as_json=as_json
        )
    )


@cli.command()
@click.argument("links", metavar="LINK...", nargs=-1, required=True)
@click.option(
    "--model",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The weights (GGUF) that the receipts name. Default: the store's, or the starter model.",
)
@click.option("--threads", type=click.IntRange(0, 256), default=0, help="0: all cores but one.")
@auditors.trust
@_data
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(  # noqa: PLR0917 - click passes them by name
    links: tuple[str, ...],
    model: Path | None,
    threads: int,
    trust: Path | None,
    data: Path | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Make replies again from their proofs and the weights, and compare them token by token.

    Runs in a fresh process, from bundles and the model file alone: never from the service's
    database or cache. Many links are replayed together, and summed up in a table. On a machine that
    can't be exact, tokens that differ are weighed against what another machine's arithmetic does.
    """
    from bot.cli import replaying

    settings = _settings(None, data, None)
    folder, store = settings.service.data_dir, settings.model.store
    options = replaying.Options(model, threads, trust, folder, as_json, store)
    return _await(replaying.replay(links, options))


@cli.command()
@_data
@click.option(
    "--bundle",
    "bundles",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A proof bundle that somebody kept: the log must still contain its head. Repeat.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def audit(data: Path | None, bundles: tuple[Path, ...], as_json: bool) -> int:  # noqa: FBT001
    """Re-derive every root, balance and claim from what is stored, and ask the chain.

    Run it where the service's data folder is. History that was cut off as a whole shows only
    against what others kept: bundles in the folder's proofs/, and those given with --bundle.
    """
    from bot.cli import audit as audit_command

    settings = _settings(None, data, None)
    folder, settlement = settings.service.data_dir, settings.settlement
    return _await(
        audit_command.audit(folder, bundles=bundles, settlement=settlement, as_json=as_json)
    )


@cli.command()
@_config
@_data
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
def reports(config: Path | None, data: Path | None, as_json: bool) -> int:  # noqa: FBT001
    """List what people have complained about, newest first.

    Run it where the service's data folder is; the service may be running. A link shows the proof
    of a reply without its words: only the person who was answered can open those.
    """
    from bot.cli import reports as reports_command

    return _await(reports_command.reports(_settings(config, data, None), as_json=as_json))


@cli.command(hidden=True)
@click.option("--model", type=click.Path(path_type=Path), required=True)
@click.option("--threads", type=int, required=True)
@click.option("--options", default="")
def engine(model: Path, threads: int, options: str) -> int:
    """Be an engine process; the service starts these by itself."""
    from bot.wiring.engine_process import EngineOptions, run_engine

    return run_engine(model, threads=threads, options=EngineOptions.parse(options))
