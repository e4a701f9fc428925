"""`audit-sample`: replays a share of replies, drawn after they were logged, and signs verdicts.

Nothing of what was said is written down: verdicts name receipts by their hashes.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.cli import printing, replaying
from bot.cli.proofs import load_policy
from bot.cli.sample_words import Audit, audit_as_json, is_fixed, print_audit
from bot.cli.writing import write_files
from bot.crypto.dsse import encode_envelope, sign_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError
from bot.domain.errors import UserError
from bot.domain.printable import printable
from bot.domain.statements import VERDICT_TYPE, Sample
from bot.domain.terms import parse_positive
from bot.receipts.link import parse_link
from bot.receipts.verify import VerifiedReceipt
from bot.wiring.auditing import OpenHead, check_under, log_of, open_head, open_key
from bot.wiring.engine import Progress, no_progress

MAX_LINKS = 10_000
MAX_LINKS_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command was given beside the links.

    Attributes:
        head: file of a checkpoint, or address of a log.
        share: a decimal above 0, at most 1.
        key: file of the auditor's key.
        out: file for the verdicts; must not be there.
        replay: where policy, model and copies of bundles lie.
    """

    head: str
    share: str
    key: Path
    out: Path
    replay: replaying.Options


async def audit_sample(file: Path, options: Options) -> int:
    """Verify all links, draw, replay, sign; return the exit code."""
    key = await asyncio.to_thread(open_key, options.key)
    share = check_share(options.share)
    if options.out.exists() or not options.out.absolute().parent.is_dir():
        raise UserError(f"Name a new file in a folder that is there: {options.out} is not one.")
    links = await asyncio.to_thread(read_links, file)
    if options.replay.as_json:
        found = await _run(links, share, options, no_progress)
    else:
        with printing.step_bar() as bar:
            found = await _run(links, share, options, bar)
    lines = [
        encode_envelope(sign_envelope(VERDICT_TYPE, one.statement(found.sample).encode(), key))
        for one in found.judged
    ]
    write_files({options.out: "".join(f"{line.decode()}\n" for line in lines)})
    generated = [row for row in found.drawn if not is_fixed(row)]
    together = replaying.weigh_together(generated)
    if options.replay.as_json:
        auditor = public_key_of(key).hex()
        printing.print_json({**audit_as_json(found), "together": together, "auditor": auditor})
    else:
        print_audit(found, together, options.out)
    replaying.refuse_false([*found.refused, *generated], together)
    return 0


def check_share(text: str) -> str:
    """Accept a share.

    Raises:
        UserError: it is not a decimal above 0, at most 1.
    """
    try:
        value = float(parse_positive(text))
    except FormatError:
        value = 0.0
    if not 0 < value <= 1:
        raise UserError("--share is a decimal above 0 and at most 1, such as 0.1.")
    return text


def read_links(file: Path) -> list[str]:
    """Read a file of links, one a line, each once; empty lines and those with `# ` are passed over.

    Raises:
        UserError: it can't be read, or holds no links, or too many.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_LINKS_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise UserError(f"The links {file} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is no file of links: it is not UTF-8.") from error
    lines = [line.strip() for line in text.splitlines()]
    links = list(dict.fromkeys(line for line in lines if line and not line.startswith("# ")))
    if not links or len(links) > MAX_LINKS or len(data) > MAX_LINKS_BYTES:
        raise UserError(f"{file} must hold 1 to {MAX_LINKS} proof links, one on each line.")
    return links


async def _run(links: Sequence[str], share: str, options: Options, progress: Progress) -> Audit:
    rows = await replaying.verify_links(links, options.replay, progress)
    held = _each_once(rows)
    if not held:
        raise rows[0].error or UserError("None of the proofs can be used.")
    progress("Reading the log's head", None)
    head = await _open_head(links, [one for _, one in held], options)
    await check_under(head, [one for _, one in held])
    checkpoint = head.checkpoint
    sample = Sample(checkpoint.origin, checkpoint.size, checkpoint.root, share)
    drawn = [row for row, one in held if sample.holds(one.receipt_tag)]
    for group in _by_model(drawn):
        await replaying.replay_rows(group, options.replay, progress)
    return Audit(sample, rows, drawn)


def _each_once(rows: Sequence[replaying.Row]) -> list[tuple[replaying.Row, VerifiedReceipt]]:
    """Return the verified replies; one that two links lead to counts once."""
    found: dict[bytes, tuple[replaying.Row, VerifiedReceipt]] = {}
    for row in rows:
        if row.verified is not None:
            found.setdefault(row.verified.receipt_hash, (row, row.verified))
    return list(found.values())


async def _open_head(
    links: Sequence[str], held: Sequence[VerifiedReceipt], options: Options
) -> OpenHead:
    logs = {one.logged.log for one in held}
    if len(logs) > 1:
        names = ", ".join(sorted(printable(log.name) for log in logs))
        raise UserError(
            f"These replies stand in different logs, {names}: audit those of each log with a "
            "command of its own."
        )
    prefixes = [prefix for link in links if (prefix := log_of(parse_link(link)))]
    trust = options.replay.trust
    policy = None if trust is None else await asyncio.to_thread(load_policy, trust)
    return await open_head(
        options.head,
        log=logs.pop(),
        prefix=prefixes[0] if prefixes else None,
        witnesses=None if policy is None else policy.witnesses,
    )


def _by_model(rows: Sequence[replaying.Row]) -> list[list[replaying.Row]]:
    """Sort the rows that need an engine by the model that they need."""
    groups: dict[bytes, list[replaying.Row]] = {}
    for row in rows:
        if row.verified is not None and not is_fixed(row):
            groups.setdefault(row.verified.manifest.model.gguf, []).append(row)
    return list(groups.values())
