"""What fans ask about their money, in private chats only: what they have, to buy, their limit."""

from collections.abc import Callable
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LabeledPrice
from telegram.ext import ExtBot
from telegram.helpers import create_deep_linked_url

from adapters.telegram_chat import money_words as words
from adapters.telegram_chat import texts, wording
from adapters.telegram_chat.credit import disputes
from adapters.telegram_chat.credit.disputes import Disputes
from adapters.telegram_chat.credit.hints import MONEY_PREFIX, SHOW, MoneyHints
from adapters.telegram_chat.credit.invoices import Invoice, InvoiceSeal
from adapters.telegram_chat.credit.retrying import call_again
from adapters.telegram_chat.delivery import PLATFORM
from adapters.telegram_chat.events import STARS, Pressed, Said, Spot
from adapters.telegram_chat.mapping import Failure
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.sending import Sender
from bot.ports.credit import FanCredit, Offer
from bot.ports.people import Person

BUY, LIMIT = "buy:", "limit"
START = "credit"  # where a forwarded invoice leads


class MoneyDesk:
    """Answers for one bot; one that sells nothing itself names another one that does."""

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        credit: FanCredit,
        hints: MoneyHints,
        disputes: Disputes,
        seal: InvoiceSeal,
        shop: Callable[[], str] | None,
        pace: Pace,
    ) -> None:
        """Prepare it.

        Args:
            bot: the library's bot.
            sender: speaks for it.
            credit: the core's door.
            hints: says what is to be said once.
            disputes: takes disputes.
            seal: of this bot's invoices.
            shop: names a bot that sells credit, or nothing while none is known; None if this one
                does. Stars belong to a bot's owner, so a creator's own bot sells none.
            pace: waits.
        """
        self._bot = bot
        self._sender = sender
        self._credit = credit
        self._hints = hints
        self._disputes = disputes
        self._seal = seal
        self._shop = shop
        self._pace = pace

    async def show(self, said: Said) -> None:
        """Say what the fan has, and offer more."""
        if await self._is_private(said):
            await self._overview(said.spot)

    async def buy(self, said: Said) -> None:
        """Say what can be bought."""
        if not await self._is_private(said):
            return
        offers = await self._credit.offers(PLATFORM)
        if not offers:
            await self._sender.say(said.spot, words.NOTHING_SOLD)
        elif self._shop is not None:
            await self._sender.say(said.spot, words.elsewhere(self._shop_link()))
        else:
            rows = [[_offer_button(offer)] for offer in offers]
            text = words.offered(offers)
            await self._sender.say(said.spot, text, buttons=InlineKeyboardMarkup(rows))

    async def limit(self, said: Said) -> None:
        """Set the most that the fan spends in a day, or say how to."""
        if not await self._is_private(said):
            return
        person, wanted = _person_of(said.spot), (said.text or "").strip()
        if not wanted:
            await self._limit_how(said.spot)
            return
        view = await call_again(lambda: self._credit.set_daily_limit(person, wanted), self._pace)
        await self._sender.say(said.spot, words.limit_set(view))

    async def support(self, said: Said) -> None:
        """Say how payments work, or pass a question on to the operator."""
        if not await self._is_private(said):
            return
        person, question = _person_of(said.spot), (said.text or "").strip()
        if question:
            answer = await call_again(lambda: self._credit.support(person, question), self._pace)
        else:
            answer = words.pay_support(await self._credit.view(person))
        await self._sender.say(said.spot, answer)

    async def ask_about(self, said: Said, receipt_id: str) -> None:
        """Ask whether a reply shall be checked, to which a link has led."""
        if await self._is_private(said):
            await self._disputes.ask(said.spot, receipt_id)

    async def dispute(self, said: Said) -> None:
        """See `Disputes`."""
        await self._disputes.command(said)

    async def close(self) -> None:
        """End what runs beside the events."""
        await self._disputes.close()

    async def press(self, pressed: Pressed) -> None:
        """Do what a button about money says."""
        spot, data = pressed.spot, pressed.data.removeprefix(MONEY_PREFIX)
        offer = None
        if not spot.is_private:
            await self._acknowledge(pressed, words.IN_PRIVATE)
            return
        if data.startswith(BUY):
            offer = await self._offer_of(data.removeprefix(BUY))
            if offer is None:
                await self._acknowledge(pressed, wording.BUTTON_OLD)
                return
        await self._acknowledge(pressed, None)
        if offer is not None:
            await self._send_invoice(spot, offer)
        elif data == SHOW:
            await self._overview(spot)
        elif data == LIMIT:
            await self._limit_how(spot)
        elif data.startswith(disputes.WRONG):
            await self._disputes.ask(spot, data.removeprefix(disputes.WRONG))
        elif data.startswith(disputes.CHECK):
            await self._disputes.begin(spot, data.removeprefix(disputes.CHECK), "")

    async def _overview(self, spot: Spot) -> None:
        view = await self._credit.view(_person_of(spot))
        offers = await self._credit.offers(PLATFORM)
        rows = [[_offer_button(offer)] for offer in offers]
        if self._shop is not None:
            link = self._shop_link() if offers else ""
            rows = [[InlineKeyboardButton(words.BUY_THERE, url=link)]] if link else []
        rows.append([_button(words.CHANGE_LIMIT, LIMIT)])
        text = words.overview(view)
        await self._sender.say(spot, text, buttons=InlineKeyboardMarkup(rows))
        await self._hints.tell(spot)

    async def _limit_how(self, spot: Spot) -> None:
        view = await self._credit.view(_person_of(spot))
        await self._sender.say(spot, words.limit_how(view.token))

    async def _send_invoice(self, spot: Spot, offer: Offer) -> None:
        invoice = Invoice(offer.unit, offer.count, offer.nano, spot.fan)
        sent = await self._sender.attempt(
            "sendInvoice",
            lambda: self._bot.send_invoice(
                spot.chat,
                title=words.title_of(offer),
                description=words.description_of(offer),
                payload=self._seal.seal(invoice),
                currency=STARS,
                prices=[LabeledPrice(words.title_of(offer), offer.count)],
                provider_token="",
                start_parameter=START,  # without it a forwarded copy could be paid
                message_thread_id=spot.thread,
            ),
        )
        if isinstance(sent, Failure):
            await self._sender.say(spot, words.INVOICE_FAILED)

    async def _offer_of(self, count: str) -> Offer | None:
        if self._shop is not None:
            return None
        offers = await self._credit.offers(PLATFORM)
        return next((offer for offer in offers if str(offer.count) == count), None)

    async def _is_private(self, said: Said) -> bool:
        if said.spot.is_private:
            return True
        link = create_deep_linked_url(self._bot.username, said.command)
        await self._sender.say(said.spot, texts.in_private(link), reply_to=said.message_id)
        return False

    async def _acknowledge(self, pressed: Pressed, text: str | None) -> None:
        await self._sender.attempt(
            "answerCallbackQuery",
            lambda: self._bot.answer_callback_query(pressed.query_id, text=text),
        )

    def _shop_link(self) -> str:
        name = self._shop() if self._shop is not None else ""
        return create_deep_linked_url(name, START) if name else ""


def _offer_button(offer: Offer) -> InlineKeyboardButton:
    return _button(words.button_of(offer), f"{BUY}{offer.count}")


def _button(label: str, data: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(label, callback_data=MONEY_PREFIX + data)


def _person_of(spot: Spot) -> Person:
    return Person(PLATFORM, str(spot.fan))
