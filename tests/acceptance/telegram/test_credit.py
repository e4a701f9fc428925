"""What fans ask about their money, what they are told in passing, and doubts about replies."""

import pytest

from adapters.telegram_chat import money_words as words
from adapters.telegram_chat import texts
from bot.domain.errors import AdmissionError, UserError
from bot.ports.credit import DisputeState, FreeReplies
from bot.ports.people import Person
from tests.acceptance.telegram.conftest import ADA, BEN, Stage, buttons_of, settle, until
from tests.acceptance.telegram.world import Json

PERSON = Person("telegram", str(ADA))
RECEIPT = "receipt-00000000000001"
PRICE = AdmissionError("The next reply costs 0.002 tUSD. Writing on means that you agree.")


async def _replied(stage: Stage, *, fan: int = ADA) -> Json:
    """Have a twin's reply to a fan."""
    await stage.ask("/twin nova", fan=fan)
    reply = await stage.ask("Hello", fan=fan)
    await until(lambda: stage.inbox.confirmed)
    stage.credit.answered(RECEIPT, Person("telegram", str(fan)))
    return reply


def _dispute(stage: Stage, reply: Json, text: str = "/dispute") -> None:
    chat = stage.server.world.private(stage.lobby, ADA)
    stage.server.world.post(chat, ADA, text, reply_to=reply["message_id"])


async def test_credit_says_what_there_is_what_is_free_and_the_limit(stage: Stage) -> None:
    stage.credit.give(PERSON, 20_000_000)
    stage.credit.twins = (
        FreeReplies("mira", "Mira", 3, 5, 2_000_000),
        FreeReplies("nova", "Nova", 0, 0, 1_000_000),
        FreeReplies("rumi", "Rumi", 0, 0, 0),
    )
    await stage.start()

    answer = await stage.ask("/credit")

    assert answer["text"].splitlines() == [
        "Your credit: 0.02 tUSD, 0.02 tUSD of it given to you; that is spent first.",
        "Spent in the last 24 hours: 0 tUSD of at most 5 tUSD.",
        "",
        "Mira: 3 of 5 free replies left today, then 0.002 tUSD each.",
        "Nova: 0.001 tUSD a reply.",
        "Rumi: free.",
    ]
    assert list(buttons_of(answer)) == [
        "50 Stars · 0.5 tUSD",
        "250 Stars · 2.5 tUSD",
        words.CHANGE_LIMIT,
    ]


async def test_buy_says_how_far_each_amount_goes(stage: Stage) -> None:
    await stage.start()

    answer = await stage.ask("/buy")

    assert "50 Stars: 0.5 tUSD, about 250 replies." in answer["text"]


async def test_where_nothing_is_sold_there_is_nothing_to_buy(stage: Stage) -> None:
    stage.credit.sold = {}
    await stage.start()

    assert (await stage.ask("/buy"))["text"] == words.NOTHING_SOLD
    assert list(buttons_of(await stage.ask("/credit"))) == [words.CHANGE_LIMIT]
    assert "cost you nothing here" in (await stage.ask("/terms"))["text"]


async def test_an_offer_that_has_gone_is_an_old_button(stage: Stage) -> None:
    await stage.start()
    offers = await stage.ask("/buy")
    stage.credit.sold = {}

    stage.server.world.press(stage.lobby, ADA, offers, "50 Stars")
    await until(lambda: stage.server.world.answers)

    assert stage.server.world.answers[0]["text"] == "This button is out of date."
    assert stage.server.count("sendInvoice") == 0


async def test_the_limit_is_set_in_words(stage: Stage) -> None:
    await stage.start()
    overview = await stage.ask("/credit")

    stage.server.world.press(stage.lobby, ADA, overview, words.CHANGE_LIMIT)
    await until(lambda: words.limit_how("tUSD") in stage.heard())
    answers = [(await stage.ask(f"/limit {amount}"))["text"] for amount in ("0.25", "0", "much")]

    assert answers == [
        "You spend at most 0.25 tUSD in 24 hours.",
        "You spend nothing now: when the free replies are used up, twins don't answer you.",
        'The limit must be a decimal number such as "0.5".',
    ]


@pytest.mark.parametrize("kind", ["lose", "unknown"])
async def test_a_limit_that_is_not_set_at_once_is_set_all_the_same(stage: Stage, kind: str) -> None:
    await stage.start()
    getattr(stage.credit, kind)("set_daily_limit")

    assert (await stage.ask("/limit 1"))["text"] == "You spend at most 1 tUSD in 24 hours."


async def test_a_core_that_stays_busy_is_one_sentence(stage: Stage) -> None:
    await stage.start()
    for _ in range(3):
        stage.credit.lose("set_daily_limit")

    assert (await stage.ask("/limit 1"))["text"].endswith("Please try again in a minute.")


async def test_paysupport_explains_and_passes_questions_on(stage: Stage) -> None:
    await stage.start()

    explained = await stage.ask("/paysupport")
    noted = await stage.ask("/paysupport I paid twice")

    assert "Telegram's support can't help" in explained["text"]
    assert noted["text"] == "Your question was noted for the operator."
    assert stage.credit.questions == [(PERSON, "I paid twice")]


async def test_paysupport_names_the_latest_payments(stage: Stage) -> None:
    await stage.start()
    offers = await stage.ask("/buy")
    stage.server.world.press(stage.lobby, ADA, offers, "50 Stars")
    invoice = await stage.answer(after=1)
    stage.server.till.pay(stage.lobby, ADA, invoice)
    await until(lambda: len(stage.heard()) == 3)

    assert (await stage.ask("/paysupport"))["text"].endswith("0.5 tUSD: charge0")


@pytest.mark.parametrize("command", ["credit", "buy", "limit", "paysupport"])
async def test_in_a_group_there_is_only_the_way_to_the_private_chat(
    stage: Stage, command: str
) -> None:
    group = stage.server.world.add_group(-1001, ADA, stage.lobby.id)
    await stage.start()

    stage.server.world.post(group, ADA, f"/{command}@lobbybot 1")
    answer = await stage.said_in(group)

    assert answer["text"] == texts.in_private(f"https://t.me/lobbybot?start={command}")
    assert "reply_markup" not in answer


@pytest.mark.parametrize(
    ("command", "begins"),
    [
        ("credit", "Your credit: 0 tUSD."),
        ("buy", "Credit for replies"),
        ("limit", "Send the most"),
        ("paysupport", "How payments work"),
        ("dispute", "Reply to a twin's message"),
    ],
)
async def test_the_way_leads_to_the_command(stage: Stage, command: str, begins: str) -> None:
    await stage.start()
    stage.server.world.start(stage.lobby, ADA, command)

    assert (await stage.answer())["text"].startswith(begins)


async def test_a_refusal_has_the_way_to_credit(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    stage.inbox.fail = PRICE

    refusal = await stage.ask("Hello")
    stage.server.world.press(stage.lobby, ADA, refusal, words.CREDIT)
    overview = await stage.answer(after=2)

    assert refusal["text"] == str(PRICE)
    assert overview["text"].startswith("Your credit: 0 tUSD.")


@pytest.mark.parametrize("reason", ["nothing is sold", "another error", "unknown"])
async def test_other_refusals_have_none(stage: Stage, reason: str) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    stage.inbox.fail = PRICE
    if reason == "nothing is sold":
        stage.credit.sold = {}
    elif reason == "unknown":
        stage.credit.lose("offers")
    else:
        stage.inbox.fail = UserError(str(PRICE))

    refusal = await stage.ask("Hello")

    assert refusal["text"] == str(PRICE)
    assert buttons_of(refusal) == {}


async def test_in_a_group_the_way_to_credit_leads_to_the_private_chat(stage: Stage) -> None:
    group = stage.server.world.add_group(-1001, ADA, stage.lobby.id)
    await stage.start()
    stage.server.world.post(group, ADA, "/twin@lobbybot nova")
    await stage.said_in(group)
    stage.inbox.fail = PRICE

    stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
    refusal = await stage.said_in(group, after=1)

    assert buttons_of(refusal)[words.CREDIT]["url"] == "https://t.me/lobbybot?start=credit"


async def test_what_is_to_be_said_once_follows_a_reply_in_private(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    stage.credit.tell(PERSON, "You have spent 80 % of your daily limit.")

    await stage.ask("Hello")
    notice = await stage.answer(after=2)
    await stage.ask("Hello again")
    await settle()

    assert notice["text"] == "You have spent 80 % of your daily limit."
    assert stage.heard().count(notice["text"]) == 1


async def test_what_is_to_be_said_once_is_not_said_in_a_group(stage: Stage) -> None:
    group = stage.server.world.add_group(-1001, ADA, stage.lobby.id)
    await stage.start()
    stage.server.world.post(group, ADA, "/twin@lobbybot nova")
    await stage.said_in(group)
    stage.credit.tell(PERSON, "Secret.")

    stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
    await stage.said_in(group, after=1)
    await until(lambda: stage.inbox.confirmed)
    await settle()
    said = [message["text"] for message in group.from_bot()]
    await stage.ask("/credit")
    await until(lambda: "Secret." in stage.heard())

    assert "Secret." not in said


async def test_a_dispute_is_begun_and_its_end_told(stage: Stage) -> None:
    await stage.start()
    reply = await _replied(stage)

    _dispute(stage, reply, "/dispute These are not its words")
    begun = await stage.answer(after=2)
    stage.credit.decide(RECEIPT, DisputeState.UPHELD, "You were right: 0.002 tUSD came back.")
    told = await stage.answer(after=3)
    await settle()

    assert begun["text"] == "The reply is being replayed."
    assert told["text"] == "You were right: 0.002 tUSD came back."
    assert len(stage.heard()) == 4
    assert (await stage.ask("/dispute"))["text"].endswith(
        "you were right: You were right: 0.002 tUSD came back."
    )


async def test_the_end_of_a_dispute_that_a_restart_has_missed_follows_the_next_reply(
    stage: Stage,
) -> None:
    surface = await stage.start()
    reply = await _replied(stage)
    _dispute(stage, reply)
    await stage.answer(after=2)
    await surface.stop()
    stage.credit.decide(RECEIPT, DisputeState.REJECTED, "The reply is what its receipt says.")

    await stage.start()
    await stage.ask("Hello again")
    told = await stage.answer(after=4)

    assert told["text"] == "The reply is what its receipt says."


async def test_verify_offers_to_dispute_and_asks_first(stage: Stage) -> None:
    await stage.start()
    reply = await _replied(stage)
    chat = stage.server.world.private(stage.lobby, ADA)
    stage.server.world.post(chat, ADA, "/verify", reply_to=reply["message_id"])
    verdict = await stage.answer(after=2)

    stage.server.world.press(stage.lobby, ADA, verdict, words.WRONG)
    question = await stage.answer(after=3)
    assert ("dispute", RECEIPT) not in stage.credit.calls
    stage.server.world.press(stage.lobby, ADA, question, words.CHECK)
    begun = await stage.answer(after=4)

    assert question["text"] == words.DISPUTE_ASK
    assert begun["text"] == "The reply is being replayed."


async def test_a_dispute_of_a_groups_reply_leads_to_the_private_chat(stage: Stage) -> None:
    group = stage.server.world.add_group(-1001, ADA, stage.lobby.id)
    await stage.start()
    stage.server.world.post(group, ADA, "/twin@lobbybot nova")
    await stage.said_in(group)
    stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
    reply = await stage.said_in(group, after=1)
    await until(lambda: stage.inbox.confirmed)
    stage.credit.answered(RECEIPT, PERSON)

    stage.server.world.post(group, ADA, "/dispute", reply_to=reply["message_id"])
    answer = await stage.said_in(group, after=2)
    word = f"wrong_{RECEIPT}"
    stage.server.world.start(stage.lobby, ADA, word)
    question = await stage.answer()

    assert answer["text"] == texts.in_private(f"https://t.me/lobbybot?start={word}")
    assert question["text"] == words.DISPUTE_ASK


async def test_a_dispute_about_somebody_elses_reply_is_refused(stage: Stage) -> None:
    await stage.start()
    await _replied(stage)
    stage.server.world.start(stage.lobby, BEN, f"wrong_{RECEIPT}")
    question = await stage.answer(fan=BEN)

    stage.server.world.press(stage.lobby, BEN, question, words.CHECK)
    answer = await stage.answer(fan=BEN, after=1)

    assert answer["text"] == "Only the person who was answered may dispute a reply."


async def test_a_link_that_names_no_reply_says_how(stage: Stage) -> None:
    await stage.start()
    stage.server.world.start(stage.lobby, ADA, "wrong_" + "x" * 58)

    assert (await stage.answer())["text"] == words.DISPUTE_HOW


async def test_a_dispute_needs_a_reply(stage: Stage) -> None:
    await stage.start()
    service = await stage.ask("/twin nova")

    _dispute(stage, service)

    assert (await stage.answer(after=1))["text"] == words.DISPUTE_HOW


async def test_who_wants_to_be_forgotten_is_told_of_their_credit(stage: Stage) -> None:
    stage.credit.give(PERSON, 20_000_000)
    await stage.start()

    question = await stage.ask("/forget")

    assert question["text"].endswith(
        "You have 0.02 tUSD of credit left: nobody can use or refund it once you are forgotten."
    )
