"""The terminal chat, fed by a pipe: what a person types and what they read."""

import io
import sys
from dataclasses import replace

import pytest

from adapters.console_chat.chat import ConsoleChat
from bot.domain.errors import EngineCrashedError
from bot.domain.wording import AI_LABEL, DISCLOSURE
from bot.ports.credit import FreeReplies, Purchase
from bot.ports.people import Person
from bot.ports.views import EarningsLine
from tests.fakes.chat import NOVA, MemoryInbox
from tests.fakes.credit import MemoryFanCredit

LINE = EarningsLine(
    twin_name="Nova",
    token="tUSD",  # noqa: S106 - a currency
    accrued_nano=4_000_000,
    committed_nano=2_000_000,
    claimed_nano=2_000_000,
    payout="0xabc",
    chain_balance_nano=None,
    last_tx="0xfeed",
)


async def _explain(link: str) -> str:
    return f"  explained {link}"


async def _chat(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *typed: str,
    inbox: MemoryInbox | None = None,
    first: str | None = None,
    credit: MemoryFanCredit | None = None,
) -> str:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
    chat = ConsoleChat(
        inbox=inbox or MemoryInbox(), session="s", explain_proof=_explain, credit=credit
    )
    await chat.run(first)
    return capsys.readouterr().out


async def test_chat_says_first_that_it_is_ai(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = await _chat(monkeypatch, capsys)

    assert shown.startswith(DISCLOSURE)
    assert "You talk to Nova" in shown
    assert shown.rstrip().endswith("Goodbye.")


async def test_what_a_fan_should_be_told_of_their_money_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    credit = MemoryFanCredit()
    credit.tell(Person("terminal", "local"), "You have spent 4 of the 5.")

    shown = await _chat(monkeypatch, capsys, "hello", "hello again", credit=credit)

    assert shown.count("You have spent 4 of the 5.") == 1


async def test_credit_says_what_the_person_at_this_terminal_has_and_may_spend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    credit = MemoryFanCredit()
    person = Person("terminal", "local")
    await credit.credit(Purchase(person, "c1", "telegram-star", 3))
    await credit.credit(Purchase(person, "c2", "telegram-star", 1, test=True))

    typed = ("/credit", "/credit limit 0.5", "/credit limit 6", "/credit all")
    shown = await _chat(monkeypatch, capsys, *typed, credit=credit)

    before, after = shown.split("/credit shows it")[0].split("Your credit:")[1:]
    assert "0.03 tUSD bought, 0.01 given to you (spent first)" in before
    assert "Spent in the last 24 hours: 0 of at most 5 tUSD" in before
    assert "Mira: 5 of 5 free replies left today, then 0.002 tUSD each" in before
    assert "of at most 0.5 tUSD" in after
    assert (await credit.view(person)).daily_limit_nano == 500_000_000


@pytest.mark.parametrize(
    ("twin", "words"),
    [
        (FreeReplies("a", "Ann", 0, 3, 2_000_000), "Ann: 0 of 3 free replies left today"),
        (FreeReplies("a", "Ann", 0, 0, 2_000_000), "Ann: 0.002 tUSD a reply\n"),
        (FreeReplies("a", "Ann", 0, 0, 0), "Ann: free\n"),
    ],
)
async def test_credit_says_of_each_twin_what_a_reply_costs(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    twin: FreeReplies,
    words: str,
) -> None:
    shown = await _chat(monkeypatch, capsys, "/credit", credit=MemoryFanCredit(twins=(twin,)))

    assert words in shown


async def test_message_is_answered_with_label_proof_and_fee_and_delivered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = MemoryInbox()

    shown = await _chat(monkeypatch, capsys, "hello", "hello again", "/quit", "never", inbox=inbox)

    assert f"Nova [{AI_LABEL}]: Ships come home." in shown
    assert shown.count("#k=") == 2
    assert "fee 0.002 TPT" in shown
    assert [message.message_id for message in inbox.asked] == ["s-1", "s-2"]
    assert len(inbox.confirmed) == 2


async def test_blank_lines_are_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = MemoryInbox()

    await _chat(monkeypatch, capsys, "", "   ", inbox=inbox)

    assert inbox.asked == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/twins", "nova"),
        ("/help", "/earnings"),
        ("/help", "You are terminal:local here"),
        ("/credit", "There is no credit here"),
        ("/proof", "no reply yet"),
        ("/nonsense", "no command /nonsense"),
        ("/twin nobody", "There is no twin 'nobody'. Try one of: nova"),
        ("/twin", "Name one: /twin nova."),
    ],
)
async def test_commands_answer_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, words: str
) -> None:
    assert words in await _chat(monkeypatch, capsys, command)


async def test_proof_explains_the_last_reply(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = await _chat(monkeypatch, capsys, "hello", "/proof")

    assert "explained http://127.0.0.1:8800/r/" in shown


async def test_other_twin_is_talked_to_after_it_was_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = MemoryInbox(cards=[NOVA, replace(NOVA, slug="rex", name="Rex")])

    shown = await _chat(monkeypatch, capsys, "one", "/twin nova", "two", inbox=inbox, first="rex")

    assert [message.twin for message in inbox.asked] == ["rex", "nova"]
    assert "You talk to Rex" in shown


async def test_earlier_turns_are_shown_when_a_twin_is_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = await _chat(monkeypatch, capsys, "first words", "/twin nova")

    assert "earlier, you: first words" in shown


async def test_error_is_one_line_and_the_chat_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = MemoryInbox(fail=EngineCrashedError("Please try again."), fail_after=1)

    shown = await _chat(monkeypatch, capsys, "hello", "/twins", inbox=inbox)

    assert "  Please try again." in shown
    assert shown.count("nova") > 0


@pytest.mark.parametrize(
    ("earned", "paid", "balance", "sentence"),
    [
        (2_000_000, 2_000_000, 2_000_000, "    book and chain agree\n"),
        (2_000_999, 2_000_000, 2_000_000, "    book and chain agree\n"),
        (
            *(4_000_000, 2_000_000, 2_000_000),
            "    0.002 tUSD earned since the last epoch; the rest agrees\n",
        ),
        (
            *(2_000_000, 1_000_000, 1_000_000),
            "    committed, paid and balance differ: settlement is under way\n",
        ),
        (2_000_000, 2_000_000, None, "    the chain does not answer\n"),
    ],
)
async def test_earnings_say_exactly_how_book_and_chain_stand(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    earned: int,
    paid: int,
    balance: int | None,
    sentence: str,
) -> None:
    line = replace(LINE, accrued_nano=earned, claimed_nano=paid, chain_balance_nano=balance)

    shown = await _chat(monkeypatch, capsys, "/earnings", inbox=MemoryInbox(lines=[line]))

    assert sentence in shown
    assert ("unknown" in shown) == (balance is None)
