"""What stands in an invoice: nobody without the token can write or change one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram_chat.credit.invoices import Invoice, InvoiceSeal, is_ours

SEAL = InvoiceSeal("7001:SECRET")
INVOICE = st.builds(
    Invoice,
    st.from_regex(r"[a-z-]{1,32}", fullmatch=True),
    st.integers(1, 10**9),
    st.integers(0, 10**18),
    st.integers(1, 2**52),
)
ONE = Invoice("telegram-star", 50, 500_000_000, 4001)


@given(INVOICE)
def test_an_invoice_is_read_as_it_was_sealed(invoice: Invoice) -> None:
    payload = SEAL.seal(invoice)

    assert SEAL.open(payload) == invoice
    assert is_ours(payload)
    assert len(payload.encode()) <= 128


@given(INVOICE, st.data())
def test_a_changed_character_breaks_the_seal(invoice: Invoice, data: st.DataObject) -> None:
    payload = SEAL.seal(invoice)
    at = data.draw(st.integers(0, len(payload) - 1))
    other = data.draw(st.characters(min_codepoint=33).filter(lambda one: one != payload[at]))
    forged = payload[:at] + other + payload[at + 1 :]

    assert SEAL.open(forged) is None


@given(st.text())
def test_any_other_text_is_no_invoice(text: str) -> None:
    assert SEAL.open(text) is None
    assert not is_ours(text)


@pytest.mark.parametrize("token", ["7002:SECRET", "7001:SECRE", "7001:SECRETT", ""])
def test_another_token_makes_another_seal(token: str) -> None:
    payload = InvoiceSeal(token).seal(ONE)

    assert SEAL.open(payload) is None
    assert is_ours(payload)  # as payments of a token that was replaced are


def test_no_payload_is_not_ours() -> None:
    assert not is_ours(None)
