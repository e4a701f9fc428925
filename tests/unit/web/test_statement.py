"""The page of a creator's statement: exact amounts, nothing foreign, and a link that ends."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import aiohttp
import pytest

from adapters.web.server import WebServer
from adapters.web.statement_page import MOST_ROWS, POLICY, render_page
from bot.creators.statement_links import REMEMBERED_FOR, WORKS_FOR, StatementLinks
from bot.domain.errors import UserError
from bot.domain.funding import Funding
from bot.domain.money import format_nano
from bot.domain.monthly import (
    COLUMNS,
    FeeRecords,
    FeeRow,
    MonthlyStatement,
    StatementEpoch,
    by_day,
    encode_csv,
    parse_month,
    statement_of,
    sum_up,
)
from bot.domain.payment import Payer
from bot.domain.statements import Outcome
from bot.domain.times import encode_time
from bot.ports.statements import FeeReader
from tests.fakes.chat import MemoryInbox, MemoryProofs
from tests.fakes.clock import CountingEntropy, SetClock

TWIN, MONTH = bytes(range(32)), date(2026, 11, 1)
TOKEN, SYMBOL = "t" * 43, "tUSD"
FIRST = datetime(2026, 11, 2, 23, 59, tzinfo=UTC)


def row(number: int, **changes: object) -> FeeRow:
    """Return a delivered, sponsored reply of that number."""
    values: dict[str, object] = {
        "index": number,
        "leaf": 10 + number,
        "receipt_id": f"{number:022d}",
        "seq": number + 1,
        "at": FIRST + timedelta(hours=13 * number),
        "payer": Payer.SPONSOR,
        "outcome": Outcome.DELIVERED,
        "price_nano": 2_000_001,
        "earned_nano": 1_700_000,
        "operator_nano": 300_001,
        "transaction": 5 + number,
        "transaction_key": f"end-hold:{number}:0",
        "epoch": 1 if number < 2 else None,
        "claimed_by": 1 if number < 1 else None,
    }
    return FeeRow(**(values | changes))  # type: ignore[arg-type]


ROWS = [
    row(0),
    row(1, payer=Payer.PAID),
    row(
        2,
        payer=Payer.PAID,
        held_since=FIRST,
        payable_at=FIRST + timedelta(days=21),
    ),
    row(
        3,
        payer=Payer.PAID,
        outcome=Outcome.REFUNDED,
        seq=2,
        price_nano=-2_000_001,
        earned_nano=-1_700_000,
        operator_nano=-300_001,
        taken_back=True,
    ),
    row(4, payer=Payer.FREE, price_nano=0, earned_nano=0, operator_nano=0, transaction=None),
    row(5, at=datetime(2026, 12, 1, tzinfo=UTC)),
]
FUNDING = Funding(
    committed=3_400_000,
    waiting=1_700_000,
    held=1_700_001,
    all_waiting=9_000_000,
    all_held=8_000_000,
    uncovered=0,
)
EPOCHS = [StatementEpoch(1, 2, 3_400, 0, b"h" * 32), StatementEpoch(2, 9, 9_000, 0, None)]


class MemoryFees(FeeReader):
    """All fees of one twin."""

    async def fees(self, twin: bytes) -> FeeRecords:
        return FeeRecords(ROWS, EPOCHS, FUNDING) if twin == TWIN else FeeRecords([], [])


def november(*, name: str = "Mira", symbol: str = SYMBOL) -> MonthlyStatement:
    records = FeeRecords(ROWS, EPOCHS)
    return statement_of(records, twin=TWIN, month=MONTH, name=name, token=symbol)


def test_a_month_holds_its_own_rows_and_the_epochs_that_cover_them() -> None:
    found = november()

    assert [one.index for one in found.rows] == [0, 1, 2, 3, 4]
    assert [one.epoch for one in found.epochs] == [1]


def test_sums_by_day_add_up_to_the_months() -> None:
    total, days = sum_up(november().rows), by_day(november().rows)

    assert (total.replies, total.refunds) == (4, 1)
    assert total.earned_nano == 2 * 1_700_000
    assert total.held_nano == 1_700_000
    assert total.by_payer[Payer.PAID] == 1_700_000
    assert sum(one.earned_nano for one in days.values()) == total.earned_nano
    assert list(days) == sorted(days)
    assert min(days) == date(2026, 11, 2)  # 23:59 UTC, wherever this runs


def test_the_csv_names_what_each_row_is_made_of_and_its_amounts_are_exact() -> None:
    found = list(csv.DictReader(io.StringIO(encode_csv(november()).decode())))

    assert tuple(found[0]) == COLUMNS
    assert [one["earned"] for one in found] == ["0.0017", "0.0017", "0.0017", "-0.0017", "0"]
    assert found[0]["price"] == "0.002000001"
    assert found[2]["state"] == "held"
    assert found[2]["payable_from"] == "2026-11-23T23:59:00Z"
    assert found[4]["ledger_transaction"] == ""
    assert (found[1]["receipt"], found[1]["log_leaf"], found[1]["epoch"]) == (
        f"{1:022d}",
        "11",
        "1",
    )


def test_the_csv_says_of_each_row_whether_the_vault_has_fetched_it() -> None:
    found = list(csv.DictReader(io.StringIO(encode_csv(november()).decode())))

    states = ["committed", "payable", "held", "taken back", "nothing to pay"]
    assert [one["state"] for one in found] == states
    assert [one["funded"] for one in found] == ["yes", "no", "no", "", ""]


def test_what_is_not_funded_is_said_plainly() -> None:
    short = replace(FUNDING, uncovered=5_000_000, paid=1_000_000, paid_at=FIRST)

    funded, owed, together = FUNDING.words(SYMBOL)
    paid, _, uncovered = short.words(SYMBOL)

    assert funded.startswith("Funded: 0.0034 tUSD of this twin's fees are committed")
    assert funded.endswith("What of it was paid, only the chain knows.")
    assert paid.endswith("At 2026-11-02T23:59:00Z it had paid 0.001 of that.")
    assert owed.startswith(
        "Not funded on the chain: 0.0017 tUSD that wait for an epoch, and 0.001700001"
    )
    assert together.startswith("All creators together: 0.009 tUSD wait, and 0.008 are held.")
    assert together.endswith("is covered by what the operator has put in and what platforms owe.")
    assert uncovered.endswith(
        "0.005 tUSD of what is owed to fans and creators are covered by nothing."
    )


def test_the_page_says_what_is_funded_as_text() -> None:
    records = FeeRecords(ROWS, EPOCHS, FUNDING)
    found = statement_of(records, twin=TWIN, month=MONTH, name="M", token="<b>")  # noqa: S106

    page = render_page(found, TOKEN)

    assert "Not funded on the chain: 0.0017 &lt;b&gt;" in page
    assert "Not funded" not in render_page(november(), TOKEN)


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-1", "1999-01", "2026-11-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="2026-11"):
        parse_month(text)


def test_a_name_is_shown_as_text_and_never_as_markup() -> None:
    page = render_page(november(name='<img src=x onerror="a()">', symbol="<b>"), TOKEN)

    assert "<img" not in page
    assert "<b>" not in page
    assert "&lt;img" in page


def test_nothing_on_the_page_comes_from_elsewhere_or_runs() -> None:
    page = render_page(november(), TOKEN)

    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "style=" not in page
    assert POLICY.startswith("default-src 'none'; style-src 'sha256-")
    assert "<rect" in page


def test_a_month_without_replies_is_a_page_too_and_a_long_one_is_cut() -> None:
    empty = statement_of(FeeRecords([], []), twin=TWIN, name="M", token=SYMBOL, month=MONTH)
    many = FeeRecords([row(0, index=n) for n in range(MOST_ROWS + 7)], [])
    long = statement_of(many, twin=TWIN, name="M", token=SYMBOL, month=MONTH)

    assert "Nothing was earned" in render_page(empty, TOKEN)
    assert "7 more rows are in the CSV" in render_page(long, TOKEN)
    assert encode_csv(long).count(b"\r\n") == MOST_ROWS + 8


@pytest.fixture
async def served() -> AsyncIterator[tuple[aiohttp.ClientSession, StatementLinks, SetClock]]:
    clock = SetClock()
    links = StatementLinks(
        fees=MemoryFees(), clock=clock, entropy=CountingEntropy(), base_url="http://here"
    )
    server = WebServer(
        inbox=MemoryInbox(), proofs=MemoryProofs(), statements=links, host="127.0.0.1", port=0
    )
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        yield client, links, clock
    await server.stop()


async def test_a_link_leads_to_this_month_and_ends(
    served: tuple[aiohttp.ClientSession, StatementLinks, SetClock],
) -> None:
    client, links, clock = served
    link = links.issue(twin=TWIN, name="Mira", token=SYMBOL, paid_nano=1_000_000)
    path, asked_at = link.removeprefix("http://here"), clock.now()
    clock.advance(timedelta(minutes=1))
    async with client.get(path) as page:
        text = await page.text()
        assert f"At {encode_time(asked_at)} it had paid 0.001 of that." in text
        assert page.headers["Content-Security-Policy"] == POLICY
        assert page.headers["Cache-Control"] == "no-store"
        assert "November 2026" in text
        assert format_nano(3_400_000) in text
    async with client.get(f"{path}/month.csv?month=2026-12") as file:
        assert (await file.read()).count(b"\r\n") == 2
        assert "statement-2026-12.csv" in file.headers["Content-Disposition"]
    for query, status in (("?month=nonsense", 400), ("?month=2031-01", 200)):
        async with client.get(f"{path}{query}") as answer:
            assert answer.status == status
    clock.advance(WORKS_FOR + timedelta(seconds=1))
    async with client.get(path) as late:
        assert (late.status, "too old" in await late.text()) == (410, True)
    clock.advance(REMEMBERED_FOR)
    for wrong in (path, "/statement/abc", f"/statement/{'A' * 43}"):
        async with client.get(wrong) as answer:
            assert answer.status == 404


async def test_guessing_links_is_slowed_down(
    served: tuple[aiohttp.ClientSession, StatementLinks, SetClock],
) -> None:
    client, _, _ = served
    status = 0
    for number in range(31):
        async with client.get(f"/statement/{number:043d}") as answer:
            status = answer.status
    assert status == 429
