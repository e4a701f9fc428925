"""A creator reads a statement in a real browser, at a desk and on a telephone, and prints it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from bot.domain.monthly import FeeRow, MonthlyStatement, StatementEpoch
from bot.domain.payment import Payer
from bot.domain.statements import Outcome
from bot.ports.statements import StatementDesk
from tests.acceptance.browsing import visiting
from tests.fakes.chat import MemoryProofs

TOKEN = "t" * 43
FIRST = datetime(2026, 11, 1, 8, tzinfo=UTC)


class OneMonth(StatementDesk):
    """Gives everybody the same month."""

    async def statement(self, token: str, month: date | None) -> MonthlyStatement:
        rows = tuple(
            FeeRow(
                index=number,
                leaf=20 + number,
                receipt_id=f"{number:022d}",
                seq=number + 1,
                at=FIRST + timedelta(hours=11 * number),
                payer=Payer.PAID if number % 3 else Payer.SPONSOR,
                outcome=Outcome.DELIVERED,
                price_nano=2_000_001,
                earned_nano=1_700_000,
                operator_nano=300_001,
                transaction=number + 9,
                transaction_key=f"end-hold:{number}",
                epoch=1,
                held_since=FIRST if number > 40 and number % 3 else None,
            )
            for number in range(60)
        )
        epochs = (StatementEpoch(1, 60, 102_000, 0, b"h" * 32),)
        first = month or date(2026, 11, 1)
        return MonthlyStatement(token.encode()[:32], "Mira", "tUSD", first, rows, epochs)


@pytest.mark.parametrize("width", [360, 1000])
async def test_the_statement_fits_the_screen_and_leads_to_its_csv(width: int) -> None:
    async with visiting(proofs=MemoryProofs(), statements=OneMonth()) as visit:
        context = await visit.browser.new_context(viewport={"width": width, "height": 900})
        page = await visit.open(f"/statement/{TOKEN}", context)

        assert await page.title() == "Mira: statement of November 2026"
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await page.locator("svg rect").count() > 20
        background = "getComputedStyle(document.body).backgroundColor"
        light = await page.evaluate(background)
        await page.emulate_media(color_scheme="dark")
        assert await page.evaluate(background) != light
        await page.emulate_media(media="print")
        assert await page.get_by_role("navigation").is_hidden()
        await page.emulate_media(media="screen")
        async with page.expect_download() as started:
            await page.get_by_role("link", name="CSV").click()
        assert (await started.value).suggested_filename == "statement-2026-11.csv"
