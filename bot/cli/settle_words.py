"""How the command `settle` shows what it has found: tables for people, JSON for machines."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from bot.cli import printing
from bot.domain.printable import printable
from bot.domain.transactions import TransactionState

if TYPE_CHECKING:
    from bot.wiring.adopting import Adoption
    from bot.wiring.settle_preview import Preview
    from bot.wiring.settling import Line, Standing

_UNIT = 10**6
_MOST_TWINS = 50


def print_preview(found: "Preview") -> None:
    """Print a look ahead."""
    if found.facts is not None:
        _print_facts(found)
    if found.epoch is None and found.was_compared:
        printing.out.print("\nNothing is new since the last epoch: nothing would be committed.")
    elif found.epoch is not None:
        state = f"is under way ({found.epoch.state})" if found.is_open else "would be committed"
        total = found.epoch.commitment.fee_total / _UNIT
        printing.out.print(
            f"\nEpoch {found.epoch.number} {state}: {total:.6f} in all so far, "
            f"{found.epoch.commitment.log_size} leaves of the log."
        )
        _print_twins(found)
    if found.unsigned:
        printing.out.print(
            f"{found.unsigned} newer leaves of the log, with the fees in them, wait for its next "
            "signed head: a running service signs one every two seconds."
        )
    if found.cost is not None:
        cost = found.cost
        printing.out.print(
            f"\nCost now: {cost.wei / 1e18:.6f} of the chain's coin in {cost.transactions} "
            f"transactions: {cost.commit_gas:,} gas for the commit (rehearsed), about "
            f"{cost.claims_gas:,} for the claims."
        )
    for obstacle in found.obstacles:
        printing.out.print(Text(f"In the way: {printable(obstacle)}", style="yellow"))
    if not found.obstacles:
        printing.out.print("\nNothing is in the way.")
    printing.say("Nothing was signed, sent or written.")


def _print_facts(found: "Preview") -> None:
    facts = found.facts
    if facts is None:
        return
    table = Table(show_header=False, box=None, padding=(0, 1))
    unit = 10**facts.decimals
    allowed = f"{facts.allowance_units / unit:.6f}"
    delay = f"{facts.delay_s} s, in which the guardian may veto" if facts.delay_s else "none"
    rows = [
        ("chain", f"{facts.chain_id}, block {facts.height}"),
        ("contract", facts.contract),
        ("owner, guardian", f"{facts.owner}, {facts.guardian}"),
        ("delay", delay),
        ("settler", _account(found, facts.settler, found.settler)),
        ("relayer", _account(found, "", found.relayer)),
        ("token", f"{facts.symbol} {facts.token}, {facts.decimals} decimals"),
        (
            "treasury",
            f"{facts.treasury}: {facts.treasury_units / unit:.6f}, {allowed} of it allowed",
        ),
        (
            "vault",
            f"holds {facts.vault_units / unit:.6f}, has paid {facts.claimed_units / unit:.6f}",
        ),
        ("gas price", f"{facts.market.lowest / 1e9:.3f} gwei"),
    ]
    for name, value in rows:
        table.add_row(name, Text(printable(value)))
    printing.print_table(table)


def _account(found: "Preview", allowed: str, ours: str) -> str:
    if found.is_embedded:
        return f"{allowed} the service's own".strip()
    coins = {} if found.facts is None else found.facts.coins
    if not ours:
        return f"{allowed}, whose key is not given here" if allowed else "none is given"
    held = coins.get(bytes.fromhex(ours[2:]), 0)
    return f"{ours}: {held / 1e18:.6f} of the chain's coin"


def _print_twins(found: "Preview") -> None:
    if found.epoch is None:
        return
    table = Table(box=None, padding=(0, 1))
    for heading in ("twin", "pays to", "in all", "paid so far"):
        table.add_column(heading)
    paid = found.claimed or (0,) * len(found.epoch.earnings)
    rows = list(zip(found.epoch.earnings, paid, strict=True))
    for item, units in rows[:_MOST_TWINS]:
        where = f"0x{item.payout.hex()}" if any(item.payout) else "no address yet"
        table.add_row(
            item.twin.hex()[:16],
            where,
            f"{item.cumulative_units / _UNIT:.6f}",
            f"{units / _UNIT:.6f}" if found.claimed else "?",
        )
    printing.print_table(table)
    if len(rows) > _MOST_TWINS:
        printing.out.print(f"… and {len(rows) - _MOST_TWINS} more twins (--json names them all).")


def describe_preview(found: "Preview") -> dict[str, object]:
    """Return a look ahead for machines; amounts in token units, wei as decimal strings."""
    facts, epoch, cost = found.facts, found.epoch, found.cost
    return {
        "chain": None
        if facts is None
        else {
            "id": facts.chain_id,
            "height": facts.height,
            "contract": facts.contract,
            "owner": facts.owner,
            "guardian": facts.guardian,
            "settler": facts.settler,
            "treasury": facts.treasury,
            "delay_s": facts.delay_s,
            "token": facts.token,
            "symbol": facts.symbol,
            "decimals": facts.decimals,
            "treasury_units": facts.treasury_units,
            "allowance_units": facts.allowance_units,
            "vault_units": facts.vault_units,
            "claimed_units": facts.claimed_units,
            "gas_price_wei": str(facts.market.lowest),
            "coins": {f"0x{account.hex()}": str(wei) for account, wei in facts.coins.items()},
        },
        "settler": found.settler,
        "relayer": found.relayer,
        "unsigned_leaves": found.unsigned,
        "epoch": None
        if epoch is None
        else {
            "number": epoch.number,
            "state": str(epoch.state),
            "is_open": found.is_open,
            "fee_total_units": epoch.commitment.fee_total,
            "log_size": epoch.commitment.log_size,
            "twins": [
                {
                    "twin": item.twin.hex(),
                    "payout": f"0x{item.payout.hex()}",
                    "units": item.cumulative_units,
                    "paid_units": found.claimed[index] if found.claimed else None,
                }
                for index, item in enumerate(epoch.earnings)
            ],
        },
        "cost": None
        if cost is None
        else {
            "commit_gas": cost.commit_gas,
            "claims_gas_about": cost.claims_gas,
            "transactions": cost.transactions,
            "wei": str(cost.wei),
        },
        "obstacles": list(found.obstacles),
    }


def print_standing(found: "Standing") -> None:
    """Print the newest epochs with their transactions."""
    table = Table(box=None, padding=(0, 1))
    for heading in ("epoch", "state", "committed", "transaction", "nonce", "attempts", "waits for"):
        table.add_column(heading)
    for row in found.rows:
        first = (
            str(row.epoch.number),
            str(row.epoch.state),
            f"{row.epoch.commitment.fee_total / _UNIT:.6f}",
        )
        if not row.lines:
            table.add_row(
                *first, "none", "", "", "to be signed" if row.epoch.state == "planned" else ""
            )
        for index, line in enumerate(row.lines):
            signed = line.stored.signed
            what = "commit" if signed.purpose == "commit" else f"claims {signed.chunk}"
            table.add_row(
                *(first if index == 0 else ("", "", "")),
                f"{what} 0x{signed.hash.hex()}",
                str(signed.nonce),
                str(len(line.stored.attempts)),
                waits_for(line),
            )
    if found.rows:
        printing.print_table(table)
    else:
        printing.out.print("Nothing was settled yet.")
    for number in found.vetoed:
        said = (
            f"The guardian has vetoed epoch {number}: nothing of it was paid, and all of it is in "
            "the next one."
        )
        printing.out.print(Text(said, style="yellow"))
    if found.on_chain is None:
        printing.out.print(Text(f"The chain was not asked: {printable(found.why_not)}"))
    else:
        printing.out.print(f"The chain is at epoch {found.on_chain}.")
    if found.lease is not None:
        printing.out.print(Text(f"Publisher: {printable(found.lease.owner)}"))


def waits_for(line: "Line") -> str:
    """Say what one transaction waits for."""
    stored, found = line.stored, line.inclusion
    depth = "" if found is None else f"block {found.block_number}, {found.depth} deep"
    if stored.state is TransactionState.DEAD:
        return "nothing: it can't take effect any more"
    if stored.state is TransactionState.FINAL:
        return depth or "nothing"
    if found is not None:
        return f"finality: {depth}" if found.succeeded else f"finality of its revert: {depth}"
    if stored.state is TransactionState.SIGNED:
        return "being sent"
    return f"a block, at up to {stored.newest.fees.max_fee_wei / 1e9:.3f} gwei"


def describe_standing(found: "Standing") -> dict[str, object]:
    """Return the newest epochs for machines."""
    return {
        "on_chain": found.on_chain,
        "vetoed": list(found.vetoed),
        "why_not": found.why_not,
        "publisher": None if found.lease is None else found.lease.owner,
        "epochs": [
            {
                "number": row.epoch.number,
                "state": str(row.epoch.state),
                "fee_total_units": row.epoch.commitment.fee_total,
                "log_size": row.epoch.commitment.log_size,
                "transactions": [
                    {
                        "purpose": str(line.stored.signed.purpose),
                        "chunk": line.stored.signed.chunk,
                        "state": str(line.stored.state),
                        "nonce": line.stored.signed.nonce,
                        "hash": f"0x{line.stored.signed.hash.hex()}",
                        "attempts": [f"0x{one.hash.hex()}" for one in line.stored.attempts],
                        "block": None if line.inclusion is None else line.inclusion.block_number,
                        "depth": None if line.inclusion is None else line.inclusion.depth,
                        "waits_for": waits_for(line),
                    }
                    for line in row.lines
                ],
            }
            for row in found.rows
        ],
    }


def print_adoption(found: "Adoption") -> None:
    """Print what a book would take over."""
    there = found.commitment
    printing.say(
        f"The chain is at epoch {there.epoch} with {there.fee_total / _UNIT:.6f} committed and "
        f"{there.log_size} leaves of the log; this book knows epoch {found.known}."
    )
    table = Table(box=None, padding=(0, 1))
    for heading in ("twin", "becomes settled", "paid beyond what this book knows"):
        table.add_column(heading)
    moves, carried = dict(found.restored.moves), dict(found.restored.carried)
    for twin in sorted({*moves, *carried}):
        table.add_row(
            twin.hex()[:16],
            f"{moves.get(twin, 0) / 10**9:.9f}",
            f"{carried.get(twin, 0) / 10**9:.9f}",
        )
    printing.print_table(table, printing.err)
    printing.say("Nobody is paid by this: the book learns what the chain has committed.")
    if found.waits:
        printing.say(f"It can't be done yet: {found.waits}.")


def describe_adoption(found: "Adoption") -> dict[str, object]:
    """Return it for machines; amounts in nano."""
    return {
        "epoch": found.commitment.epoch,
        "known": found.known,
        "fee_total_units": found.commitment.fee_total,
        "log_size": found.commitment.log_size,
        "moves": {twin.hex(): nano for twin, nano in found.restored.moves},
        "carried": {twin.hex(): nano for twin, nano in found.restored.carried},
        "waits": found.waits,
    }
