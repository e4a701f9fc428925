"""A chat inbox and a proof source in memory, which hold their callers to the ports' contracts."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from bot.domain.errors import BotError, InvariantError, UnknownTwinError, UserError
from bot.ports.chat import (
    ChatInbox,
    IncomingMessage,
    MergedInto,
    PendingReply,
    ReplyEvent,
    ReplyShown,
    Surface,
    TextPiece,
)
from bot.ports.proofs import ProofSource
from bot.ports.views import EarningsLine, HistoryTurn, TwinCard

NOVA = TwinCard(
    slug="nova", name="Nova", role="a singer from the harbour", price="0.002 TPT per reply"
)


@dataclass(slots=True)
class MemoryInbox(ChatInbox):
    """Answers with given words; every promise that the port asks of its caller is checked.

    Attributes:
        cards: the live twins.
        words: pieces of every reply.
        gate: where there is one, each piece, and the end, waits for a release of it.
        fail: error to raise, after `fail_after` pieces.
        fail_delivery: error that `delivered` raises.
        base: where proof links point to.
        link_ids: receipt ids to use, in order; then ids are counted.
        key: opening key of every link, base64url.
        confirmed: receipts whose delivery was told, in order, repetitions included.
        lost: receipts that were told to be undelivered.
        outbox: what `pending` returns.
        asked: messages that were really answered, not looked up.
        running: messages being answered now.
        stops: (message id, event id) of the stops that hit a growing reply.
        withdrawn: ids of messages that were taken back.
        reports: (receipt id, fan, reason) of the complaints.
        forgotten: (platform, fan) of those who asked to be forgotten.
        merge: ids of messages that are answered as part of another one: id -> that other one.
    """

    cards: list[TwinCard] = field(default_factory=lambda: [NOVA])
    words: list[str] = field(default_factory=lambda: ["Ships ", "come ", "home."])
    gate: asyncio.Semaphore | None = None
    fail: BotError | None = None
    fail_after: int = 0
    fail_delivery: BotError | None = None
    base: str = "http://127.0.0.1:8800"
    link_ids: list[str] = field(default_factory=list)
    key: str = "A" * 43
    lines: list[EarningsLine] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    outbox: list[PendingReply] = field(default_factory=list)
    asked: list[IncomingMessage] = field(default_factory=list)
    running: set[tuple[Surface, str]] = field(default_factory=set)
    stops: list[tuple[str, str]] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    reports: list[tuple[str, str, str]] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    merge: dict[str, str] = field(default_factory=dict)
    _servers: dict[tuple[str, str], str] = field(default_factory=dict)
    _stopping: set[tuple[Surface, str]] = field(default_factory=set)
    _said: dict[str, IncomingMessage] = field(default_factory=dict)
    _again: dict[str, ReplyShown] = field(default_factory=dict)
    _links: dict[str, str] = field(default_factory=dict)
    _shown: dict[tuple[Surface, str], ReplyShown] = field(default_factory=dict)
    _turns: dict[tuple[str, Surface, str], list[HistoryTurn]] = field(default_factory=dict)

    async def answer(self, message: IncomingMessage) -> AsyncIterator[ReplyEvent]:
        """Stream the words, once for each message; see the port."""
        where = (message.surface, message.message_id)
        if where in self.running:
            raise InvariantError("the port: one answer at a time for one message id")
        if not message.text.strip() or not message.fan or not message.message_id:
            raise InvariantError("the port: a message has a text, a fan and an id")
        place = (message.surface.platform, message.surface.chat)
        if self._servers.setdefault(place, message.server) != message.server:
            raise InvariantError("the port: a chat is of one server, or of none")
        if message.may_merge and message.message_id in self.merge:
            yield MergedInto(self.merge[message.message_id])
            return
        self.running.add(where)
        try:
            if where in self._shown:
                yield TextPiece(self._shown[where].text)
                yield self._shown[where]
                return
            async for event in self._generate(message, where):
                yield event
        finally:
            self.running.discard(where)
            self._stopping.discard(where)

    async def _generate(
        self, message: IncomingMessage, where: tuple[Surface, str]
    ) -> AsyncIterator[ReplyEvent]:
        card = self._card(message.twin)
        self.asked.append(message)
        said: list[str] = []
        for n, word in enumerate([*self.words, ""]):
            if self.fail and n == self.fail_after:
                raise self.fail
            if self.gate:
                await self.gate.acquire()
            if where in self._stopping:
                break
            if word:
                said.append(word)
                yield TextPiece(word)
        if not said:
            raise UserError("The reply was stopped before it began; nothing was charged.")
        shown = self._commit(message, card)
        if len(said) < len(self.words):
            shown = replace(shown, text="".join(said), finish="stopped")
        self._shown[where] = shown
        self._said[shown.receipt_id] = message
        self._links[shown.receipt_id] = shown.link
        yield shown

    async def regenerate(
        self, receipt_id: str, platform: str, fan: str, event_id: str
    ) -> AsyncIterator[ReplyEvent]:
        """Stream the words again under a receipt of their own; see the port."""
        if event_id in self._again:
            yield TextPiece(self._again[event_id].text)
            yield self._again[event_id]
            return
        message = self._message_of(receipt_id, platform, fan)
        where = (message.surface, message.message_id)
        if self._shown[where].receipt_id != receipt_id:
            raise UserError("Only the latest reply can be made again.")
        attempt = self._shown[where].attempt + 1
        if where in self.running:
            raise InvariantError("the port: one answer at a time for one message id")
        self.running.add(where)
        try:
            async for event in self._generate(message, where):
                if isinstance(event, ReplyShown):
                    again = replace(event, attempt=attempt)
                    self._shown[where] = self._again[event_id] = again
                    yield again
                else:
                    yield event
        finally:
            self.running.discard(where)
            self._stopping.discard(where)

    async def stop(self, surface: Surface, message_id: str, fan: str, event_id: str) -> bool:
        """Stop a reply that is growing; see the port."""
        asker = [m.fan for m in self.asked if (m.surface, m.message_id) == (surface, message_id)]
        if asker and asker[-1] != fan:
            raise UserError("Only the person who asked may stop this reply.")
        if (surface, message_id) not in self.running:
            return False
        self._stopping.add((surface, message_id))
        self.stops.append((message_id, event_id))
        return True

    async def withdraw(self, surface: Surface, message_id: str) -> list[str]:
        """Take a message back; see the port."""
        self.withdrawn.append(message_id)
        if (surface, message_id) in self.running:
            self._stopping.add((surface, message_id))
        return [
            receipt
            for receipt, message in self._said.items()
            if (message.surface, message.message_id) == (surface, message_id)
        ]

    async def link_of(self, receipt_id: str, platform: str, fan: str) -> str:
        """Return the link with the key, to the person who was answered."""
        message = self._message_of(receipt_id, platform, fan)
        del message
        return self._links[receipt_id]

    async def report(self, receipt_id: str, platform: str, fan: str, reason: str) -> None:
        """Keep a complaint."""
        if receipt_id not in self._said:
            raise UserError("There is no such reply.")
        if len(reason) > 1000:
            raise UserError("Please say it in at most 1,000 characters.")
        del platform
        self.reports.append((receipt_id, fan, reason))

    async def export(self, platform: str, fan: str) -> bytes:
        """Return what a person has said, as JSON."""
        said = [
            message.text
            for message in self._said.values()
            if (message.surface.platform, message.fan) == (platform, fan)
        ]
        return json.dumps({"platform": platform, "messages": said}).encode()

    async def forget(self, platform: str, fan: str) -> int:
        """Forget a person's replies; see the port."""
        self.forgotten.append((platform, fan))
        theirs = [
            receipt
            for receipt, message in self._said.items()
            if (message.surface.platform, message.fan) == (platform, fan)
        ]
        for receipt in theirs:
            del self._said[receipt]
        return len(theirs)

    def _message_of(self, receipt_id: str, platform: str, fan: str) -> IncomingMessage:
        message = self._said.get(receipt_id)
        if message is None:
            raise UserError("There is no such reply here, or it was forgotten.")
        if (message.surface.platform, message.fan) != (platform, fan):
            raise UserError("Only the person who asked may do that.")
        return message

    def _commit(self, message: IncomingMessage, card: TwinCard) -> ReplyShown:
        count = len(self.asked)
        receipt_id = self.link_ids.pop(0) if self.link_ids else f"receipt-{count:014d}"
        link = f"{self.base}/r/{receipt_id}"
        shown = ReplyShown(
            receipt_id=receipt_id,
            text="".join(self.words),
            link=f"{link}#k={self.key}",
            public_link=link,
            fee_nano=2_000_000,
            token="TPT",  # noqa: S106  a symbol
            twin_name=card.name,
            finish="end",
        )
        turn = HistoryTurn(message.text, shown.text, shown.link, shown.fee_nano, shown.token)
        self._turns.setdefault((message.twin, message.surface, message.fan), []).append(turn)
        return shown

    async def delivered(self, receipt_id: str) -> None:
        """Record a delivery; only what was shown can be delivered."""
        if receipt_id not in {shown.receipt_id for shown in self._shown.values()}:
            raise InvariantError("the port: delivered before it was shown")
        if self.fail_delivery:
            raise self.fail_delivery
        self.confirmed.append(receipt_id)

    async def undelivered(self, receipt_id: str) -> None:
        """Take the word that a reply can't reach its person; the receipt must exist."""
        known = [shown for shown in self._shown.values() if shown.receipt_id == receipt_id]
        if not known:
            raise InvariantError(f"no receipt {receipt_id}")
        self.lost.append(receipt_id)

    async def pending(self, platform: str, bot: str) -> list[PendingReply]:
        """Return what the test has put into the outbox of that account."""
        return [
            pending
            for pending in self.outbox
            if (pending.message.surface.platform, pending.message.surface.bot) == (platform, bot)
        ]

    async def twins(self) -> list[TwinCard]:
        """Return the cards, ordered by name."""
        return sorted(self.cards, key=lambda card: card.name)

    async def history(self, twin: str, surface: Surface, fan: str) -> list[HistoryTurn]:
        """Return the turns so far."""
        self._card(twin)
        return list(self._turns.get((twin, surface, fan), []))

    async def earnings(self) -> list[EarningsLine]:
        """Return the given lines, ordered by name."""
        return sorted(self.lines, key=lambda line: line.twin_name)

    def _card(self, slug: str) -> TwinCard:
        for card in self.cards:
            if card.slug == slug:
                return card
        raise UnknownTwinError(f"There is no twin called {slug}.")


@dataclass(slots=True)
class MemoryProofs(ProofSource):
    """Bundles by receipt id, and a checkpoint."""

    bundles: dict[str, bytes] = field(default_factory=dict)
    note: str | None = None

    async def bundle(self, receipt_id: str) -> bytes | None:
        """Return the stored bytes."""
        return self.bundles.get(receipt_id)

    async def checkpoint(self) -> str | None:
        """Return the note."""
        return self.note
