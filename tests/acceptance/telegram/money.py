"""Stars as the platform handles them: invoices, the last question, payments, refunds, the list."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.acceptance.telegram.more_methods import ApiError, as_sender
from tests.acceptance.telegram.world import TIME, BotSide, ChatSide, Json, World

ANSWER_S = 10.0
MAX_TITLE, MAX_DESCRIPTION, MAX_PAYLOAD, PAGE = 32, 255, 128, 100


@dataclass(slots=True, eq=False)
class Checkout:
    """A payment that a fan has confirmed; the bot is asked.

    Attributes:
        asked_at: the loop's time in seconds.
        took_s: how long the bot took to answer; below 0 until it has.
        refusal: what the fan reads if it says no.
        charge: number of the payment; empty if there is none.
    """

    bot: BotSide
    fan: int
    payload: str
    stars: int
    asked_at: float
    took_s: float = -1.0
    refusal: str = ""
    charge: str = ""


@dataclass(slots=True)
class Till:
    """Where fans pay; `payloads` has those of invoices by bot, chat and message."""

    world: World
    payloads: dict[tuple[int, int, int], str] = field(default_factory=dict)
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    lists: dict[int, list[Json]] = field(default_factory=dict)
    refunded: set[str] = field(default_factory=set)
    is_mute: bool = False  # payments and refunds go through, and no update tells of it

    def pay(
        self, bot: BotSide, fan: int, invoice: Json, *, payload: str = "", stars: int = 0
    ) -> Checkout:
        """Let a fan confirm an invoice, perhaps one that was tampered with."""
        number = f"checkout{len(self.checkouts)}"
        known = self.payloads[bot.id, invoice["chat"]["id"], invoice["message_id"]]
        checkout = Checkout(
            bot=bot,
            fan=fan,
            payload=payload or known,
            stars=stars or invoice["invoice"]["total_amount"],
            asked_at=asyncio.get_running_loop().time(),
        )
        self.checkouts[number] = checkout
        query = {
            "id": number,
            "from": self.world.fans[fan],
            "currency": "XTR",
            "total_amount": checkout.stars,
            "invoice_payload": checkout.payload,
        }
        bot.push("pre_checkout_query", query)
        return checkout

    def complete(self, checkout: Checkout) -> None:
        """Take the money, and tell the bot."""
        checkout.charge = f"charge{len(self.list_of(checkout.bot))}"
        payer = self._partner(checkout.fan, checkout.payload)
        self._enter(checkout.bot, checkout.charge, checkout.stars, source=payer)
        paid = self._told(checkout) | {"provider_payment_charge_id": f"p-{checkout.charge}"}
        chat = self.world.privates.get((checkout.bot.id, checkout.fan))
        if not self.is_mute and chat is not None:
            sender = self.world.fans[checkout.fan]
            message = chat.add(sender, {"successful_payment": paid})
            checkout.bot.push("message", message)

    def refund(self, checkout: Checkout) -> None:
        """Give the money back, and tell the bot."""
        self.refunded.add(checkout.charge)
        payee = self._partner(checkout.fan, checkout.payload)
        self._enter(checkout.bot, checkout.charge, checkout.stars, receiver=payee)
        chat = self.world.private(checkout.bot, checkout.fan)
        if not self.is_mute:
            told = {"refunded_payment": self._told(checkout)}
            checkout.bot.push("message", chat.add(as_sender(checkout.bot), told))

    def list_of(self, bot: BotSide) -> list[Json]:
        """Return a bot's transactions, oldest first."""
        return self.lists.setdefault(bot.id, [])

    def add_gift(self, bot: BotSide, fan: int) -> None:
        """Let a bot have sent a gift, and have been paid by an invoice of some other program."""
        gift = self._partner(fan, "") | {"transaction_type": "gift_purchase"}
        gift.pop("invoice_payload")
        self._enter(bot, f"gift{len(self.list_of(bot))}", 15, receiver=gift)
        self._enter(bot, f"old{len(self.list_of(bot))}", 5, source=self._partner(fan, "order-1"))

    def _enter(self, bot: BotSide, charge: str, stars: int, **partner: Json) -> None:
        entry = {"id": charge, "amount": stars, "date": TIME} | partner
        self.list_of(bot).append(entry)

    def _partner(self, fan: int, payload: str) -> Json:
        return {
            "type": "user",
            "transaction_type": "invoice_payment",
            "user": self.world.fans[fan],
            "invoice_payload": payload,
        }

    def _told(self, checkout: Checkout) -> Json:
        return {
            "currency": "XTR",
            "total_amount": checkout.stars,
            "invoice_payload": checkout.payload,
            "telegram_payment_charge_id": checkout.charge,
        }


class MoneyMethods:
    """Carries out the calls about Stars."""

    def __init__(self, till: Till, chat_of: Callable[[BotSide, object], ChatSide]) -> None:
        self._till = till
        self._chat_of = chat_of
        self.table: dict[str, Callable[[BotSide, Json], Awaitable[Any]]] = {
            "sendInvoice": self._send_invoice,
            "answerPreCheckoutQuery": self._answer,
            "getStarTransactions": self._transactions,
            "refundStarPayment": self._refund,
        }

    async def _send_invoice(self, bot: BotSide, values: Json) -> Json:
        chat = self._chat_of(bot, values["chat_id"])
        if not 1 <= len(values["title"]) <= MAX_TITLE:
            raise ApiError(400, "INVOICE_TITLE_INVALID")
        if not 1 <= len(values["description"]) <= MAX_DESCRIPTION:
            raise ApiError(400, "INVOICE_DESCRIPTION_INVALID")
        if not 1 <= len(values["payload"].encode()) <= MAX_PAYLOAD:
            raise ApiError(400, "INVOICE_PAYLOAD_INVALID")
        if values["currency"] != "XTR" or values.get("provider_token"):
            raise ApiError(400, "PAYMENT_PROVIDER_INVALID")
        if len(values["prices"]) != 1 or values["prices"][0]["amount"] < 1:
            raise ApiError(400, "STARS_INVOICE_INVALID")
        invoice = {
            "title": values["title"],
            "description": values["description"],
            "start_parameter": values.get("start_parameter", ""),
            "currency": "XTR",
            "total_amount": values["prices"][0]["amount"],
        }
        message = chat.add(as_sender(bot), {"invoice": invoice})
        self._till.payloads[bot.id, chat.id, message["message_id"]] = values["payload"]
        return message

    async def _answer(self, bot: BotSide, values: Json) -> bool:
        checkout = self._till.checkouts.get(values["pre_checkout_query_id"])
        took_s = asyncio.get_running_loop().time() - (checkout.asked_at if checkout else 0.0)
        is_known = checkout is not None and checkout.bot is bot and checkout.took_s < 0
        if checkout is None or not is_known or took_s > ANSWER_S:
            raise ApiError(
                400, "query is too old and response timeout expired or query ID is invalid"
            )
        if not values["ok"] and not values.get("error_message"):
            raise ApiError(400, "PRE_CHECKOUT_ERROR_MESSAGE_REQUIRED")
        checkout.took_s = took_s
        checkout.refusal = "" if values["ok"] else values["error_message"]
        if values["ok"]:
            self._till.complete(checkout)
        return True

    async def _transactions(self, bot: BotSide, values: Json) -> Json:
        offset, limit = values.get("offset", 0), values.get("limit", PAGE)
        if offset < 0 or not 1 <= limit <= PAGE:
            raise ApiError(400, "invalid limit")
        return {"transactions": self._till.list_of(bot)[offset : offset + limit]}

    async def _refund(self, bot: BotSide, values: Json) -> bool:
        charge = values["telegram_payment_charge_id"]
        for checkout in self._till.checkouts.values():
            if (checkout.bot, checkout.fan, checkout.charge) == (bot, values["user_id"], charge):
                if charge in self._till.refunded:
                    raise ApiError(400, "CHARGE_ALREADY_REFUNDED")
                self._till.refund(checkout)
                return True
        raise ApiError(400, "CHARGE_NOT_FOUND")
