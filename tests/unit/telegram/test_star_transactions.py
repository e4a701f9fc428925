"""Which entries of the platform's list of Stars mean something to us."""

from datetime import UTC, datetime

import pytest
from telegram import StarTransaction, TransactionPartner, TransactionPartnerUser, User
from telegram import TransactionPartnerTelegramAds as Ads

from adapters.telegram_chat.credit.invoices import Invoice, InvoiceSeal
from adapters.telegram_chat.credit.transactions import read_transaction
from adapters.telegram_chat.events import GivenBack, Paid, Spot

ADA = User(4001, "Ada", is_bot=False)
OURS = InvoiceSeal("7001:OLD").seal(Invoice("telegram-star", 50, 1, 4001))
SPOT = Spot(4001, None, is_private=True, fan=4001)


def _user(kind: str = "invoice_payment", payload: str | None = OURS) -> TransactionPartnerUser:
    return TransactionPartnerUser(user=ADA, transaction_type=kind, invoice_payload=payload)


def _entry(
    source: TransactionPartner | None = None, receiver: TransactionPartner | None = None
) -> StarTransaction:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return StarTransaction("charge", 50, at, source=source, receiver=receiver)


def test_a_payment_by_an_invoice_of_ours() -> None:
    assert read_transaction(_entry(source=_user())) == Paid(0, SPOT, 0, "charge", 50)


@pytest.mark.parametrize("payload", [OURS, None])
def test_a_refund(payload: str | None) -> None:
    found = read_transaction(_entry(receiver=_user(payload=payload)))

    assert found == GivenBack(0, SPOT, 0, "charge", 50)


@pytest.mark.parametrize(
    "partner",
    [
        {"source": _user(payload="order-1")},
        {"source": _user(payload=None)},
        {"source": _user("paid_media_payment", None)},
        {"source": _user("gift_purchase")},
        {"receiver": _user("gift_purchase", None)},
        {"receiver": _user("premium_purchase", None)},
        {"receiver": _user(payload="order-1")},
        {"receiver": Ads()},
        {},
    ],
)
def test_what_is_none_of_ours(partner: dict[str, TransactionPartner]) -> None:
    assert read_transaction(_entry(**partner)) is None
