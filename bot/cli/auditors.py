"""The commands of those who show and check replies for others; other modules do the work."""

import asyncio
from pathlib import Path

import click

from bot.config import Settings, load_settings

_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder, where saved proofs lie. Default: that of config.toml.",
)
trust = click.option(
    "--trust",
    "--policy",
    "trust",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file with the keys that you trust (docs/auditing.md).",
)


def _settings() -> Settings:
    default = Path("config.toml")
    return load_settings(default if default.exists() else None)


@click.command()
@click.argument("link")
@click.option(
    "--field",
    "names",
    multiple=True,
    metavar="NAME",
    help="A field to open: reply, message and so on. Repeat.",
)
@click.option("--persona", is_flag=True, help="Open what the twin is told to be, too.")
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write. Default: RECEIPT.disclosure.json in this folder.",
)
@trust
@_data
def disclose(  # noqa: PLR0917 - click passes them by name
    link: str,
    names: tuple[str, ...],
    persona: bool,  # noqa: FBT001
    out: Path | None,
    trust: Path | None,
    data: Path | None,
) -> int:
    """Show others chosen parts of a reply, without the key that opens all of it.

    LINK is a proof link with its key, or a saved bundle FILE#k=KEY. A table says what will be
    opened and what stays closed. The file that is written holds no key, and whoever has it finds
    out nothing about the closed fields: it can be published. It can't be taken back, though.

    The fields are slot, conversation, turn, message, spans, context, output, reply, event, choice,
    counts. Mind that message names the platform's message numbers, and that spans and context hold
    the persona and earlier turns as tokens, which anybody with the model can read.

    \b
    twinproof disclose 'https://twins.example.org/r/…#k=…' --field reply --field message
    twinproof verify RECEIPT.disclosure.json
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    from bot.cli import disclosing

    folder = data or _settings().service.data_dir
    wanted = (*names, *(["persona"] if persona else []))
    options = disclosing.Options(wanted, out, trust, folder)
    return asyncio.run(disclosing.disclose_fields(link, options))


@click.command("audit-key")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def audit_key(file: Path) -> int:
    """Make the key that an auditor signs verdicts with, in FILE, and print its public half.

    The file can be read by you alone. Publish the public key: readers name it in "auditors" of
    their trust policy, and operators in [log] auditors, if they take your verdicts into their log.
    """
    from bot.cli import printing
    from bot.wiring.auditing import make_key

    public = make_key(file)
    printing.say(f"The key is in {file}: keep it, and show it to nobody. Publish this:")
    printing.print_result(public)
    return 0


@click.command("audit-sample")
@click.argument("links", metavar="FILE_OF_LINKS", type=click.Path(path_type=Path))
@click.option(
    "--log",
    "head",
    required=True,
    metavar="CHECKPOINT|URL",
    help="The head that draws the sample: the log's address (…/log), or a file with a checkpoint.",
)
@click.option(
    "--share", required=True, metavar="DECIMAL", help="How much to replay: 0.1 is a tenth."
)
@click.option(
    "--key",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Your key file, from twinproof audit-key.",
)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of signed verdicts to write.",
)
@click.option(
    "--model",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The weights (GGUF) that the receipts name. Default: the store's, or the starter model.",
)
@click.option("--threads", type=click.IntRange(0, 256), default=0, help="0: all cores but one.")
@trust
@_data
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def audit_sample(  # noqa: PLR0917 - click passes them by name
    links: Path,
    head: str,
    share: str,
    key: Path,
    out: Path,
    model: Path | None,
    threads: int,
    trust: Path | None,
    data: Path | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Replay a sample of replies that nobody could foresee, and sign what you find.

    FILE_OF_LINKS has one proof link with its key on each line: your own chats, or those of people
    who let you. Every proof is verified. Which replies are replayed follows from the root of a
    signed head that is newer than all of them, so it was open when they were logged. The file
    that is written has one signed statement a line, and nothing of what was said.

    \b
    twinproof audit-key auditor.key
    twinproof audit-sample links.txt --log https://twins.example.org/log --share 0.1 \\
        --key auditor.key --policy policy.json -o verdicts.jsonl
    twinproof audit-send verdicts.jsonl --log https://twins.example.org/log

    Exit codes: 0 all that was replayed is exact or consistent; 1 a reply is not what the model
    gives, or a proof is false; 2 something could not be replayed, or is undecided; 3 wait for a
    later head, or the log is out of reach.
    """  # noqa: D301
    from bot.cli import replaying, sampling

    settings = _settings()
    folder, store = data or settings.service.data_dir, settings.model.store
    options = sampling.Options(
        head=head,
        share=share,
        key=key,
        out=out,
        replay=replaying.Options(model, threads, trust, folder, as_json, store),
    )
    return asyncio.run(sampling.audit_sample(links, options))


@click.command("audit-send")
@click.argument("verdicts", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--log", "prefix", required=True, metavar="URL", help="The log's address (…/log).")
def audit_send(verdicts: Path, prefix: str) -> int:
    """Send signed verdicts, from twinproof audit-sample, to a log whose operator has named you.

    Sending a file again changes nothing. Exit codes: 0 all of them stand in the log now; 2 the log
    does not take one; 3 it is out of reach.
    """
    from bot.cli import sending

    return asyncio.run(sending.send(verdicts, prefix))


COMMANDS = (disclose, audit_key, audit_sample, audit_send)
