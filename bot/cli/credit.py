"""`credit` and `disputes`: fans' money, for the operator."""

import asyncio
from pathlib import Path

import click

from bot.cli import printing
from bot.config import Settings, load_settings
from bot.domain.money import format_nano
from bot.domain.printable import indented, printable
from bot.domain.times import encode_time
from bot.ports.credit_book import StoredPurchase, StoredRefund

_config = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Configuration file. Default: config.toml, if it is there.",
)
_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder. Default: that of the configuration.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


def _settings(config: Path | None, data: Path | None) -> Settings:
    default = Path("config.toml")
    settings = load_settings(config or (default if default.exists() else None))
    if data is None:
        return settings
    service = settings.service.model_copy(update={"data_dir": data})
    return settings.model_copy(update={"service": service})


@click.group()
def credit() -> None:
    """Give fans credit, and see what they have, bought and asked.

    Fans buy credit on Discord and Telegram if [money] rates says what is for sale
    (docs/operators.md). What you give away is promotional: it pays for replies, and no creator is
    paid with it.
    """


@credit.command(context_settings={"ignore_unknown_options": True})  # an amount may begin with -
@click.argument("who", metavar="PLATFORM:ID")
@click.argument("amount")
@click.option("--once", metavar="NAME", help="Give it once under this name, however often it runs.")
@_config
@_data
def give(who: str, amount: str, once: str | None, config: Path | None, data: Path | None) -> int:
    """Give a person promotional credit, in settlement tokens; the service may be running.

    ID is the platform's own number of the person; terminal:local is the chat in the terminal, and
    terminal:script is `demo --say`. What was given can't be taken back.

    \b
    twinproof credit give telegram:12345 0.5
    twinproof credit give discord:98765 0.1 --once welcome
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    from bot.wiring.credit_book import give as give_credit

    left, new = asyncio.run(give_credit(_settings(config, data), who, amount, once))
    before = f"Something was given before under the name {once}, perhaps another amount: nothing "
    said = "Given." if new else f"{before}changed."
    printing.out.print(f"{said} {who} has {format_nano(left)} of promotional credit.", markup=False)
    return 0


@credit.command(name="list")
@_config
@_data
@_json
def list_(config: Path | None, data: Path | None, as_json: bool) -> int:  # noqa: FBT001
    """List accounts, payments, questions of fans, and what is owed; the service may be running."""
    from bot.wiring.credit_book import read_book

    book = asyncio.run(read_book(_settings(config, data)))
    accounts = [
        {
            "person": f"{one.person.platform}:{one.person.fan}",
            "account": one.name,
            "bought": format_nano(paid),
            "promotional": format_nano(given),
            "owes": format_nano(owes),
        }
        for one, paid, given, owes in book.accounts
    ]
    payments = [_payment(*both) for both in book.purchases]
    questions = [
        {
            "time": encode_time(note.at),
            "person": f"{note.person.platform}:{note.person.fan}",
            "text": note.text,
        }
        for note in book.questions
    ]
    if as_json:
        printing.print_json(
            {
                "accounts": accounts,
                "payments": payments,
                "questions": questions,
                "owed": book.owed.words(),
            }
        )
        return 0
    for title, rows in (("Accounts", accounts), ("Payments", payments)):
        printing.out.print(f"{title}: {len(rows)}", style="bold")
        if rows:
            printing.out.print("  " + ", ".join(rows[0]), style="dim", markup=False)
        for row in rows:
            printing.out.print("  " + "  ".join(map(printable, row.values())), markup=False)
    printing.out.print(f"Questions: {len(questions)}", style="bold")
    for question in questions:
        printing.out.print(f"  {question['time']}  {printable(question['person'])}", markup=False)
        printing.out.print(indented(question["text"], "  | "), markup=False)
    for sentence in book.owed.words():
        printing.out.print(sentence, markup=False)
    return 0


@click.command()
@_config
@_data
@_json
def disputes(config: Path | None, data: Path | None, as_json: bool) -> int:  # noqa: FBT001
    """List what fans have disputed, what was found, and what was given back, newest first.

    The service replays a disputed reply by itself, and gives the price back where the reply is not
    what its receipt says, or was not anchored in time ([money] anchor_hours).
    """
    from bot.wiring.credit_book import read_book

    book = asyncio.run(read_book(_settings(config, data)))
    found = [
        {
            "time": encode_time(one.at),
            "receipt": one.receipt_id,
            "state": one.state.value,
            "given_back": format_nano(one.nano),
            "found": one.sentence,
            "reason": one.reason,
        }
        for one in book.disputes
    ]
    if as_json:
        printing.print_json(found)
        return 0
    if not found:
        printing.out.print("Nobody has disputed a reply.")
    for one in found:
        head = f"{one['time']}  {one['receipt']}  {one['state']}  {one['given_back']} given back"
        printing.out.print(head, markup=False)
        printing.out.print(f"  {one['found']}", markup=False)
        printing.out.print(indented(one["reason"], "  | ") or "  | (no reason given)", markup=False)
    return 0


def _payment(bought: StoredPurchase, refund: StoredRefund | None) -> dict[str, str]:
    state = "waits: no rate table names this unit" if bought.nano == 0 else "credited"
    return {
        "time": encode_time(bought.at),
        "charge": f"{bought.platform}:{bought.charge_id}",
        "what": f"{bought.count} x {bought.unit}",
        "credit": format_nano(bought.nano),
        "account": bought.account,
        "state": state if refund is None else "refunded",
        "test": "test" if bought.test else "",
    }


COMMANDS = (credit, disputes)
