"""A chat inbox and a proof source in memory, which hold their callers to the ports' contracts."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bot.domain.errors import BotError, InvariantError, UnknownTwinError
from bot.ports.chat import (
    ChatInbox,
    EarningsLine,
    HistoryTurn,
    IncomingMessage,
    PendingReply,
    ReplyEvent,
    ReplyShown,
    Surface,
    TextPiece,
    TwinCard,
)
from bot.ports.proofs import ProofSource

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
    _shown: dict[tuple[Surface, str], ReplyShown] = field(default_factory=dict)
    _turns: dict[tuple[str, Surface, str], list[HistoryTurn]] = field(default_factory=dict)

    async def answer(self, message: IncomingMessage) -> AsyncIterator[ReplyEvent]:
        """Stream the words, once for each message; see the port."""
        where = (message.surface, message.message_id)
        if where in self.running:
            raise InvariantError("the port: one answer at a time for one message id")
        if not message.text.strip() or not message.fan or not message.message_id:
            raise InvariantError("the port: a message has a text, a fan and an id")
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

    async def _generate(
        self, message: IncomingMessage, where: tuple[Surface, str]
    ) -> AsyncIterator[ReplyEvent]:
        card = self._card(message.twin)
        self.asked.append(message)
        for n, word in enumerate([*self.words, ""]):
            if self.fail and n == self.fail_after:
                raise self.fail
            if self.gate:
                await self.gate.acquire()
            if word:
                yield TextPiece(word)
        shown = self._commit(message, card)
        self._shown[where] = shown
        yield shown

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
