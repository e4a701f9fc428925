"""Stars that the operator gives back: the platform is asked, and then tells the service."""

import pytest

from adapters.telegram_chat.refunding import refund_star_payment
from bot.domain.errors import ConfigurationError, TransientError, UserError
from bot.ports.people import Person
from tests.acceptance.telegram.conftest import ADA, BEN, Stage, until
from tests.acceptance.telegram.money import Checkout
from tests.acceptance.telegram.server import Fault


async def _paid(stage: Stage) -> Checkout:
    await stage.start()
    offers = await stage.ask("/buy")
    stage.server.world.press(stage.lobby, ADA, offers, "50 Stars")
    paid = stage.server.till.pay(stage.lobby, ADA, await stage.answer(after=1))
    await until(lambda: len(stage.heard()) == 3)
    return paid


async def _refund(stage: Stage, charge: str, *, fan: int = ADA, token: str = "") -> bool:
    return await refund_star_payment(
        token or stage.lobby.token,
        api_base=stage.server.api_base,
        user_id=fan,
        charge_id=charge,
    )


async def test_stars_are_given_back_once_and_the_credit_follows(stage: Stage) -> None:
    paid = await _paid(stage)

    assert await _refund(stage, paid.charge) is True
    assert await _refund(stage, paid.charge) is False
    await until(lambda: stage.heard()[-1].startswith("Telegram has given 50 Stars back to you"))

    assert (await stage.credit.view(Person("telegram", str(ADA)))).paid_nano == 0


async def test_what_was_not_paid_cannot_be_given_back(stage: Stage) -> None:
    paid = await _paid(stage)

    with pytest.raises(UserError, match="no such payment"):
        await _refund(stage, "charge99")
    with pytest.raises(UserError, match="no such payment"):
        await _refund(stage, paid.charge, fan=BEN)


async def test_a_refused_token_and_a_platform_in_trouble_are_told_apart(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match="refuses the token") as refusal:
        await _refund(stage, "charge0", token="7001:WRONG")  # noqa: S106 - of nobody
    with (
        stage.server.fault(Fault("refundStarPayment", status=502)),
        pytest.raises(TransientError),
    ):
        await _refund(stage, "charge0")

    assert "WRONG" not in str(refusal.value)
