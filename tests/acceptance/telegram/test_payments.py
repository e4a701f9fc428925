"""Stars: from an invoice to credit, and back; whatever comes twice, late or not at all."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from adapters.telegram_chat import money_words as words
from adapters.telegram_chat import wording
from adapters.telegram_chat.chat import TelegramBotSettings, TelegramChat
from adapters.telegram_chat.credit import checkout
from bot.domain.errors import InvariantError, StoreBusyError
from bot.ports.credit import Credited, Purchase
from bot.ports.people import Person
from tests.acceptance.telegram.conftest import (
    ADA,
    BEN,
    QUICK,
    Stage,
    buttons_of,
    settle,
    until,
)
from tests.acceptance.telegram.money import Checkout
from tests.acceptance.telegram.server import Fault
from tests.acceptance.telegram.world import Json
from tests.fakes.credit import MemoryFanCredit, star_offer

PERSON = Person("telegram", str(ADA))
THANKS = "Thank you. Your 50 Stars gave 0.5 tUSD of credit; you have 0.5 tUSD now."
BACK = "Telegram has given 50 Stars back to you, so 0.5 tUSD of credit was taken back."


@dataclass(slots=True)
class SlowCredit(MemoryFanCredit):
    """A core that is asked and does not come back."""

    is_stuck: bool = False

    async def check_purchase(self, person: Person, unit: str, count: int) -> None:
        """Wait for ever, and ignore that nobody waits any more."""
        while self.is_stuck:
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue
        await MemoryFanCredit.check_purchase(self, person, unit, count)


@dataclass(slots=True)
class BrokenCredit(MemoryFanCredit):
    """A core with a bug."""

    is_broken: bool = True

    async def credit(self, purchase: Purchase) -> Credited:
        """Fail in a way that the port does not know."""
        if self.is_broken:
            raise InvariantError("injected: a bug")
        return await MemoryFanCredit.credit(self, purchase)


async def _invoice(stage: Stage, *, fan: int = ADA) -> Json:
    """Have an invoice of 50 Stars sent."""
    offers = await stage.ask("/buy", fan=fan)
    before = len(stage.heard(fan))
    stage.server.world.press(stage.lobby, fan, offers, "50 Stars")
    return await stage.answer(fan=fan, after=before)


async def _paid(stage: Stage) -> Checkout:
    """Have 50 Stars paid, and the credit told."""
    checkout = stage.server.till.pay(stage.lobby, ADA, await _invoice(stage))
    await until(lambda: THANKS in stage.heard())
    return checkout


def _be_busy(stage: Stage) -> None:
    stage.state.fail_take = StoreBusyError("busy")


async def _balance(stage: Stage) -> int:
    view = await stage.credit.view(PERSON)
    return view.paid_nano + view.promotional_nano


async def test_buying_gives_credit_once(stage: Stage) -> None:
    await stage.start()
    invoice = await _invoice(stage)
    assert invoice["invoice"] == {
        "title": "Credit: 0.5 tUSD",
        "description": "0.5 tUSD of credit with the AI twins of this service: about 250 replies. "
        "Questions: /paysupport, rules: /terms.",
        "start_parameter": "credit",
        "currency": "XTR",
        "total_amount": 50,
    }
    (call,) = [call for call in stage.server.calls if call.method == "sendInvoice"]
    assert call.values["provider_token"] == ""

    paid = stage.server.till.pay(stage.lobby, ADA, invoice)
    await until(lambda: THANKS in stage.heard())

    assert paid.took_s < 1
    assert stage.credit.calls.count(("credit", paid.charge)) == 1
    assert await _balance(stage) == 500_000_000
    assert stage.state.open == {}


async def test_an_update_that_comes_twice_credits_and_thanks_once(stage: Stage) -> None:
    await stage.start()
    paid = await _paid(stage)
    message = stage.server.world.private(stage.lobby, ADA).messages[
        max(stage.server.world.private(stage.lobby, ADA).messages) - 1
    ]
    assert message["successful_payment"]["telegram_payment_charge_id"] == paid.charge

    stage.lobby.push("message", message)  # under a new number
    stage.lobby.push("message", message | {"message_id": 900})  # and as another message
    await until(lambda: stage.credit.calls.count(("credit", paid.charge)) == 2)
    await settle()

    assert stage.heard().count(THANKS) == 1
    assert await _balance(stage) == 500_000_000


@pytest.mark.parametrize("kind", ["lose", "unknown"])
async def test_a_store_that_is_busy_is_waited_for(stage: Stage, kind: str) -> None:
    await stage.start()
    getattr(stage.credit, kind)("credit")

    await _paid(stage)

    assert stage.heard().count(THANKS) == 1
    assert await _balance(stage) == 500_000_000


async def test_a_payment_that_waits_long_is_not_silent(stage: Stage) -> None:
    await stage.start()
    for _ in range(4):
        stage.credit.lose("credit")

    await _paid(stage)

    assert stage.heard()[-2:] == [words.LATE, THANKS]


async def test_a_kill_between_payment_and_credit_loses_nothing(stage: Stage) -> None:
    surface = await stage.start()
    invoice = await _invoice(stage)
    for _ in range(1000):
        stage.credit.lose("credit")
    paid = stage.server.till.pay(stage.lobby, ADA, invoice)
    await until(lambda: paid.charge and stage.state.open)
    await surface.stop()
    assert len(stage.state.open) == 1  # confirmed to the platform, and still to be done
    assert await _balance(stage) == 0

    stage.credit._lost.clear()
    await stage.start()
    await until(lambda: THANKS in stage.heard())
    await settle()

    assert stage.heard().count(THANKS) == 1
    assert await _balance(stage) == 500_000_000
    assert stage.state.open == {}


async def test_a_payment_is_not_confirmed_before_it_is_durable(stage: Stage) -> None:
    await stage.start()
    invoice = await _invoice(stage)
    _be_busy(stage)

    stage.server.till.pay(stage.lobby, ADA, invoice)
    await until(lambda: THANKS in stage.heard())

    assert stage.state.fail_take is None
    assert await _balance(stage) == 500_000_000


async def test_a_bug_leaves_the_payment_open_and_says_so(stage: Stage) -> None:
    broken = BrokenCredit()
    surface = await stage.start(credit=broken)
    stage.server.till.pay(stage.lobby, ADA, await _invoice(stage))
    await until(lambda: words.STUCK in stage.heard())
    await surface.stop()
    assert len(stage.state.open) == 1

    broken.is_broken = False
    await stage.start(credit=broken)
    await until(lambda: THANKS in stage.heard())

    assert stage.state.open == {}


async def test_a_unit_that_no_table_names_is_told_in_the_cores_words(stage: Stage) -> None:
    await stage.start()
    invoice = await _invoice(stage)
    stage.server.world.say(stage.lobby, ADA, "/help")
    stage.server.till.complete(
        Checkout(
            stage.lobby, ADA, stage.server.till.payloads[7001, ADA, invoice["message_id"]], 50, 0
        )
    )
    stage.credit.sold = {}
    await until(lambda: stage.credit.noted)

    await until(lambda: any("It was noted" in text for text in stage.heard()))
    assert await _balance(stage) == 0


@pytest.mark.parametrize(
    ("payload", "stars"),
    [
        ("tp1:telegram-star:50:500000000:4001:AAAAAAAAAAAAAAAAAAAAAA", 0),
        ("50", 0),
        ("", 1),  # the right payload, another amount
    ],
)
async def test_a_forged_invoice_is_refused(stage: Stage, payload: str, stars: int) -> None:
    await stage.start()

    paid = stage.server.till.pay(
        stage.lobby, ADA, await _invoice(stage), payload=payload, stars=stars
    )
    await until(lambda: paid.took_s >= 0)

    assert (paid.refusal, paid.charge) == (words.NOT_OUR_INVOICE, "")


async def test_the_invoice_of_another_bot_is_refused(stage: Stage) -> None:
    other = stage.server.world.add_bot(7002, "otherbot")
    await stage.start(TelegramBotSettings(stage.lobby.token), TelegramBotSettings(other.token))
    invoice = await _invoice(stage)
    foreign = stage.server.till.payloads[7001, ADA, invoice["message_id"]]
    offers = await stage.ask("/buy", bot=other)
    stage.server.world.press(other, ADA, offers, "50 Stars")
    theirs = await stage.answer(bot=other, after=1)

    paid = stage.server.till.pay(other, ADA, theirs, payload=foreign)
    await until(lambda: paid.took_s >= 0)

    assert paid.refusal == words.NOT_OUR_INVOICE


async def test_the_invoice_of_another_person_is_refused(stage: Stage) -> None:
    await stage.start()
    invoice = await _invoice(stage)

    paid = stage.server.till.pay(stage.lobby, BEN, invoice)
    await until(lambda: paid.took_s >= 0)

    assert paid.refusal == words.NOT_YOUR_INVOICE


async def test_what_is_sold_no_more_or_at_another_price_is_refused(stage: Stage) -> None:
    await stage.start()
    invoice = await _invoice(stage)
    stage.credit.sold["telegram"] = (star_offer(50, nano=9_000_000),)
    dearer = stage.server.till.pay(stage.lobby, ADA, invoice)
    await until(lambda: dearer.took_s >= 0)
    stage.credit.sold["telegram"] = (star_offer(250),)

    gone = stage.server.till.pay(stage.lobby, ADA, invoice)
    await until(lambda: gone.took_s >= 0)

    assert dearer.refusal == words.OLD_INVOICE
    assert gone.refusal == "This amount is not sold any more. Nothing was charged: see /credit."


async def test_a_core_that_fails_is_a_refusal_and_no_silence(stage: Stage) -> None:
    await stage.start()
    invoice = await _invoice(stage)
    stage.credit.lose("check_purchase")

    paid = stage.server.till.pay(stage.lobby, ADA, invoice)
    await until(lambda: paid.took_s >= 0)

    assert paid.refusal == words.CANT_CHECK


async def test_a_core_that_never_answers_is_a_refusal_in_time(stage: Stage) -> None:
    slow = SlowCredit()
    await stage.start(credit=slow, pace=replace(QUICK, checkout_s=0.3))
    invoice = await _invoice(stage)
    slow.is_stuck = True

    paid = stage.server.till.pay(stage.lobby, ADA, invoice)
    await until(lambda: paid.took_s >= 0)
    slow.is_stuck = False

    assert paid.refusal == words.CANT_CHECK
    assert 0.3 <= paid.took_s < 2


async def test_busy_twins_and_full_works_do_not_hold_up_the_last_question(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.telegram_chat.works.MAX_OPEN", 8)
    await stage.start()
    await stage.ask("/twin nova")
    invoice = await _invoice(stage)
    stage.inbox.gate = asyncio.Semaphore(0)
    for number in range(12):
        fan = stage.server.world.add_fan(5000 + number, "Fan")
        stage.server.world.say(stage.lobby, fan, "/twin nova")
    stage.server.world.say(stage.lobby, ADA, "Hello")
    for number in range(12):
        stage.server.world.say(stage.lobby, 5000 + number, "Tell me everything")
    await until(lambda: len(stage.inbox.running) >= 8)

    with stage.server.fault(Fault("sendMessage", times=99, is_hung=True)):
        paid = stage.server.till.pay(stage.lobby, ADA, invoice)
        await until(lambda: paid.charge)
        await until(lambda: ("credit", paid.charge) in stage.credit.calls)

    assert paid.took_s < 1
    assert len(stage.inbox.running) >= 8
    stage.inbox.gate = None


async def test_an_answer_that_gets_lost_is_given_again(stage: Stage) -> None:
    await stage.start()
    invoice = await _invoice(stage)
    with stage.server.fault(Fault("answerPreCheckoutQuery", times=2, status=502)):
        paid = stage.server.till.pay(stage.lobby, ADA, invoice)
        await until(lambda: paid.charge)

    assert paid.took_s < checkout.ANSWER_S


async def test_a_question_that_comes_twice_is_answered_once(stage: Stage) -> None:
    await stage.start()
    invoice = await _invoice(stage)
    _be_busy(stage)
    stage.server.world.say(stage.lobby, ADA, "/help")

    paid = stage.server.till.pay(stage.lobby, ADA, invoice)
    await until(lambda: THANKS in stage.heard())

    assert paid.charge
    assert stage.server.count("answerPreCheckoutQuery") == 1


async def test_a_refund_takes_the_credit_back_once(stage: Stage) -> None:
    await stage.start()
    paid = await _paid(stage)

    stage.server.till.refund(paid)
    await until(lambda: BACK in stage.heard())
    message = max(stage.server.world.private(stage.lobby, ADA).messages.items())[1]
    refund = next(
        one
        for one in stage.server.world.private(stage.lobby, ADA).messages.values()
        if "refunded_payment" in one
    )
    stage.lobby.push("message", refund | {"message_id": 901})
    await until(lambda: stage.credit.calls.count(("refund", paid.charge)) == 2)
    await settle()

    assert message["text"] == BACK
    assert stage.heard().count(BACK) == 1
    assert await _balance(stage) == 0


async def test_a_refund_of_credit_that_was_spent_says_so(stage: Stage) -> None:
    await stage.start()
    paid = await _paid(stage)
    stage.credit.spend(PERSON, 2_000_000)

    stage.server.till.refund(paid)
    await until(lambda: any("was spent already" in text for text in stage.heard()))

    assert "so 0.498 tUSD of credit was taken back. 0.002 tUSD of it was" in stage.heard()[-1]


async def test_missed_payments_and_refunds_are_found_in_the_list(stage: Stage) -> None:
    surface = await stage.start()
    invoice = await _invoice(stage)
    await surface.stop()
    stage.server.till.is_mute = True
    stage.server.till.add_gift(stage.lobby, ADA)
    payload = stage.server.till.payloads[7001, ADA, invoice["message_id"]]
    missed = [Checkout(stage.lobby, ADA, payload, 50, 0.0) for _ in range(2)]
    for one in missed:
        stage.server.till.complete(one)
    stage.server.till.refund(missed[0])

    await stage.start()
    await until(lambda: BACK in stage.heard())
    await until(lambda: len([text for text in stage.heard() if text.startswith("Thank")]) == 2)

    assert await _balance(stage) == 500_000_000
    assert {about for method, about in stage.credit.calls if method == "credit"} == {
        one.charge for one in missed
    }


async def test_a_start_looks_again_and_changes_nothing(stage: Stage) -> None:
    surface = await stage.start()
    paid = await _paid(stage)
    await surface.stop()

    await stage.start()
    await until(lambda: stage.credit.calls.count(("credit", paid.charge)) == 2)
    await settle()

    assert stage.heard().count(THANKS) == 1
    assert await _balance(stage) == 500_000_000


async def test_whole_pages_are_followed_once(stage: Stage) -> None:
    surface = await stage.start()
    invoice = await _invoice(stage)
    await surface.stop()
    stage.server.till.is_mute = True
    payload = stage.server.till.payloads[7001, ADA, invoice["message_id"]]
    for _ in range(205):
        stage.server.till.complete(Checkout(stage.lobby, ADA, payload, 50, 0.0))
    quick = replace(QUICK, chat_s=0.0, bot_per_s=10_000)
    surface = await stage.start(pace=quick)
    await until(lambda: stage.state.stars == {"7001": 200})
    await until(lambda: len([1 for method, _ in stage.credit.calls if method == "credit"]) == 205)
    await surface.stop()
    asked = [call for call in stage.server.calls if call.method == "getStarTransactions"]

    await stage.start()
    await until(lambda: stage.server.count("getStarTransactions") > len(asked))
    last = [call for call in stage.server.calls if call.method == "getStarTransactions"][-1]

    assert last.values["offset"] == 200
    assert (await stage.credit.view(PERSON)).paid_nano == 205 * 500_000_000


async def test_a_payment_that_has_no_worth_yet_is_looked_at_again(stage: Stage) -> None:
    quick = replace(QUICK, chat_s=0.0, bot_per_s=10_000, stars_s=0.1)
    surface = await stage.start()
    invoice = await _invoice(stage)
    await surface.stop()
    stage.server.till.is_mute = True
    payload = stage.server.till.payloads[7001, ADA, invoice["message_id"]]
    for _ in range(101):
        stage.server.till.complete(Checkout(stage.lobby, ADA, payload, 50, 0.0))
    sold, stage.credit.sold = stage.credit.sold, {}
    heard = len(stage.heard())

    await stage.start(pace=quick)
    await until(lambda: len(stage.credit.noted) > 300)  # more than once all over
    assert len(stage.heard()) == heard
    stage.credit.sold = sold
    await until(lambda: stage.heard().count(THANKS) == 1)
    await until(lambda: stage.state.stars == {"7001": 100})

    assert (await stage.credit.view(PERSON)).paid_nano == 101 * 500_000_000


@pytest.mark.parametrize("fault", [Fault("getStarTransactions", 2, 502), None])
async def test_a_list_that_cannot_be_followed_is_tried_again(
    stage: Stage, fault: Fault | None
) -> None:
    surface = await stage.start()
    invoice = await _invoice(stage)
    await surface.stop()
    stage.server.till.is_mute = True
    payload = stage.server.till.payloads[7001, ADA, invoice["message_id"]]
    stage.server.till.complete(Checkout(stage.lobby, ADA, payload, 50, 0.0))
    if fault is None:
        stage.credit.unknown("credit")
    else:
        stage.server.faults.append(fault)

    await stage.start()
    await until(lambda: THANKS in stage.heard())

    assert await _balance(stage) == 500_000_000


async def test_stars_of_the_test_environment_are_no_money(stage: Stage) -> None:
    await stage.start(api_base=stage.server.api_base + "{token}/test")

    await _paid(stage)

    view = await stage.credit.view(PERSON)
    assert (view.paid_nano, view.promotional_nano) == (0, 500_000_000)


async def test_a_creators_own_bot_sells_nothing_and_names_who_does(stage: Stage) -> None:
    surface = await stage.start()
    own = stage.server.world.add_bot(7009, "novabot")
    await _host(surface, own.token)
    invoice = await _invoice(stage)
    payload = stage.server.till.payloads[7001, ADA, invoice["message_id"]]

    offers = await stage.ask("/buy", bot=own)
    overview = await stage.ask("/credit", bot=own)
    stage.server.till.payloads[7009, ADA, invoice["message_id"]] = payload
    paid = stage.server.till.pay(own, ADA, invoice)
    await until(lambda: paid.took_s >= 0)
    stage.server.till.complete(Checkout(own, ADA, payload, 50, 0.0))
    await settle()

    assert offers["text"].endswith("https://t.me/lobbybot?start=credit")
    assert buttons_of(overview)[words.BUY_THERE]["url"] == "https://t.me/lobbybot?start=credit"
    assert paid.refusal == words.NOTHING_SOLD
    assert stage.server.count("getStarTransactions", bot=own) == 0
    assert await _balance(stage) == 0


async def test_without_credit_payments_are_refused_and_commands_unknown(stage: Stage) -> None:
    surface = await stage.start()
    invoice = await _invoice(stage)
    await surface.stop()
    await stage.start(credit=None)

    paid = stage.server.till.pay(stage.lobby, ADA, invoice)
    await until(lambda: paid.took_s >= 0)

    assert paid.refusal == words.NOTHING_SOLD
    assert (await stage.ask("/credit"))["text"] == wording.unknown_command("credit")
    assert "cost you nothing" in (await stage.ask("/terms"))["text"]


async def test_an_invoice_that_cannot_be_sent_is_one_sentence(stage: Stage) -> None:
    await stage.start()
    with stage.server.fault(Fault("sendInvoice", status=500)):
        answer = await _invoice(stage)

    assert answer["text"] == words.INVOICE_FAILED


async def _host(surface: TelegramChat, token: str) -> None:
    await surface.host(token, twin="nova", owner=str(BEN))
    await until(lambda: surface.voice("7009") is not None)
    await settle()
