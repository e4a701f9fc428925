"""`recount`: put the question together, and print the verdict."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from bot.cli import printing
from bot.crypto.eip712 import parse_address
from bot.crypto.signed_note import VerifierKey
from bot.crypto.tlog_proof import parse_proof
from bot.domain.addresses import parse_typed_address
from bot.domain.errors import UserError
from bot.domain.money import format_nano
from bot.domain.printable import printable
from bot.domain.settlement import NANO_PER_UNIT
from bot.receipts.bundle import parse_bundle
from bot.receipts.link import parse_link
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.settlement.recount import OwnReceipt, Recount, StepState, Verdict
from bot.settlement.recounting import recount
from bot.wiring import recounting
from bot.wiring.anchors import check_rpcs
from bot.wiring.offline import load_bundle
from bot.wiring.transparency import parse_logs

CODES = {Verdict.PROVED: 0, Verdict.REFUTED: 1, Verdict.NOT_YET: 3}
MOST_PROOFS = 1_000
_MARKS = {
    StepState.HOLDS: ("ok", "green"),
    StepState.LEFT_OUT: ("--", "dim"),
    StepState.WAITS: ("..", "yellow"),
    StepState.FALSE: ("FALSE", "red"),
}
_SHOWN_RUNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked on the command line."""

    twin: str
    source: str
    rpc: str | None = None
    contract: str | None = None
    epoch: int | None = None
    last: int = 31
    keep: Path | None = None
    key: str | None = None
    payout: str | None = None
    proofs: Sequence[str] = ()
    leaves: bool | None = None
    as_json: bool = False


async def recount_twin(options: Options) -> int:
    """Recount a twin and print what was found; return the exit code."""
    if (options.rpc is None) != (options.contract is None):
        raise UserError("--rpc and --contract belong together: which node, and which contract.")
    check_rpcs([options.rpc] if options.rpc else [])
    contract = _address("--contract", options.contract)
    payout = _address("--payout", options.payout)
    if len(options.proofs) > MOST_PROOFS:
        raise UserError(f"Give up to {MOST_PROOFS} proofs.")
    own = [await _own(link) for link in options.proofs]
    question = recounting.Question(
        twin=options.twin,
        source=options.source,
        keep=options.keep,
        epoch=options.epoch,
        last=options.last,
        key=_key(options.key, [verified for verified, _ in own]),
        leaves=options.leaves,
        rpc=options.rpc,
        contract=contract,
        payout=payout,
        receipts=[receipt for _, receipt in own],
    )
    evidence = await recounting.gather(question)
    foreign = [one.name for one in evidence.receipts if one.twin != evidence.twin]
    if foreign:
        raise UserError(f"{foreign[0]} is a reply of another twin: leave it out.")
    found = await asyncio.to_thread(recount, evidence)
    if options.keep is not None and found.verdict is not Verdict.REFUTED:
        recounting.keep(options.keep, evidence)
    if options.as_json:
        printing.print_json(describe(found))
    else:
        _print(found)
    return CODES[found.verdict]


def _address(name: str, text: str | None) -> bytes | None:
    return None if text is None else parse_typed_address(text, name)


def _key(given: str | None, verified: Sequence[VerifiedReceipt]) -> VerifierKey | None:
    """Return the key of the log to follow: the one given, or the one that the proofs lead to."""
    if given is not None:
        (key,) = parse_logs([given])
        return key
    newest = max(verified, key=lambda one: one.checkpoint.size, default=None)
    return None if newest is None else newest.logged.log


async def _own(text: str) -> tuple[VerifiedReceipt, OwnReceipt]:
    """Verify a proof of the creator's own.

    Raises:
        VerificationError: it is false; then it shows nothing about the payout.
    """
    link = parse_link(text)
    data, _ = await load_bundle(link, data_dir=Path("data/demo"))
    verified = verify_bundle(data, key=link.key, policy=None, receipt_id=link.receipt_id)
    bundle, outcome = parse_bundle(data), None
    if bundle.outcome is not None and verified.outcome is not None:
        outcome = (verified.outcome.outcome, parse_proof(bundle.outcome.log.proof).index)
    receipt = verified.receipt
    return verified, OwnReceipt(
        name=verified.receipt_id,
        twin=receipt.twin,
        tag=verified.receipt_tag,
        seq=receipt.seq,
        creator_nano=receipt.price.creator_nano,
        payer=receipt.payment.payer,
        leaf=verified.logged.index,
        outcome=outcome,
        payout=parse_address(verified.manifest.payout),
    )


def describe(found: Recount) -> dict[str, object]:
    """Return a recount as JSON values; amounts are decimal strings, exact at any size."""
    lines = [
        {
            name: str(value) if name.endswith(("_nano", "_units")) and value is not None else value
            for name, value in asdict(line).items()
        }
        for line in found.lines
    ]
    return {
        "verdict": found.verdict.value,
        "sentence": found.sentence,
        "twin": found.twin.hex(),
        "epoch": found.epoch,
        "steps": [
            {"number": s.number, "title": s.title, "state": s.state.value, "found": s.sentence}
            for s in found.steps
        ],
        "epochs": lines,
        "missing": [list(run) for run in found.missing],
        "unproved": list(found.unproved),
    }


def _print(found: Recount) -> None:
    for step in found.steps:
        mark, style = _MARKS[step.state]
        text = f"  {mark:>5}  {step.number:>2} {step.title}: {printable(step.sentence)}"
        printing.out.print(text, style=style, markup=False)
    if found.lines:
        _print_lines(found)
    if found.missing:
        runs = [str(a) if a == b else f"{a} to {b}" for a, b in found.missing[:_SHOWN_RUNS]]
        more = "" if len(found.missing) <= _SHOWN_RUNS else ", …"
        text = f"Numbers without an outcome yet: {', '.join(runs)}{more}."
        printing.out.print(text, markup=False)
    for sentence in found.unproved:
        printing.out.print(f"  not shown: {printable(sentence)}", style="dim", markup=False)
    printing.out.print(f"Twin {found.twin.hex()}: {printable(found.sentence)}", markup=False)


def _print_lines(found: Recount) -> None:
    table = Table("epoch", "entries", "earned", "held", "carried", "cumulative", "paid", box=None)
    for column in table.columns:
        column.justify = "right"
    for line in found.lines:
        paid = None if line.paid_units is None else line.paid_units * NANO_PER_UNIT
        amounts = (
            *(line.earned_nano, line.held_nano, line.carried_nano),
            line.cumulative_units * NANO_PER_UNIT,
        )
        table.add_row(
            *(str(line.epoch), str(line.entries), *map(format_nano, amounts)),
            "" if paid is None else format_nano(paid),
        )
    printing.print_table(table)
