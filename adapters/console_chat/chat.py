"""The chat in a terminal: one fan, any twin, a handful of commands."""

from collections.abc import Awaitable, Callable

from adapters.console_chat.money import NO_CREDIT, credit_words
from adapters.console_chat.terminal import Terminal
from bot.domain.errors import InvariantError, TransientError, UserError
from bot.domain.money import format_nano
from bot.domain.printable import indented
from bot.domain.settlement import NANO_PER_UNIT
from bot.domain.wording import AI_LABEL, DISCLOSURE
from bot.ports.chat import ChatInbox, IncomingMessage, MergedInto, ReplyShown, Surface
from bot.ports.credit import FanCredit
from bot.ports.people import Person
from bot.ports.views import EarningsLine, TwinCard

SURFACE = Surface(platform="terminal", bot="local", chat="local", thread="")
FAN = "local"
HELP = """\
  /twins          who is here
  /twin NAME      talk to somebody else
  /proof          check the last reply's proof
  /earnings       what creators have earned, in the book and on the chain
  /credit         your credit and free replies; /credit limit AMOUNT: the most you spend a day
  /quit           leave
  You are terminal:local here: twinproof credit give terminal:local 0.1 --data FOLDER
  gives you credit."""
SHOWN_TURNS = 3


class ConsoleChat:
    """Talks to one person until they leave.

    `_link` is the proof that `/proof` speaks of; `_twin` the twin that is talked to.
    """

    def __init__(
        self,
        *,
        inbox: ChatInbox,
        session: str,
        explain_proof: Callable[[str], Awaitable[str]],
        credit: FanCredit | None = None,
    ) -> None:
        """Prepare a chat.

        Args:
            inbox: the core's door.
            session: makes this chat's message numbers unique.
            explain_proof: verifies a link and says in words what that showed.
            credit: knows what a fan should be told of their money.
        """
        self._inbox = inbox
        self._session = session
        self._explain_proof = explain_proof
        self._credit = credit
        self._number = 0
        self._link: str | None = None
        self._twin: TwinCard | None = None
        self._terminal = Terminal([])

    async def run(self, first: str | None = None) -> None:
        """Chat until `/quit` or the end of input; `first` is the slug of the first twin."""
        cards = await self._inbox.twins()
        commands = ["/twins", "/proof", "/earnings", "/credit", "/help", "/quit"]
        self._terminal = Terminal(commands + [f"/twin {card.slug}" for card in cards])
        self._terminal.line(DISCLOSURE)
        self._terminal.line(HELP)
        await self._choose(first or cards[0].slug)
        while (line := await self._terminal.read("you> ")) is not None:
            text = line.strip()
            if text in {"/quit", "/exit"}:
                break
            if text:
                await self._react(text)
        self._terminal.line("Goodbye.")

    async def _react(self, text: str) -> None:
        try:
            if text.startswith("/"):
                await self._command(*text[1:].partition(" ")[::2])
            else:
                await self._talk(text)
        except (UserError, TransientError) as error:
            self._terminal.line(f"  {error}")

    async def _command(self, name: str, argument: str) -> None:
        match name:
            case "twins":
                for card in await self._inbox.twins():
                    self._terminal.line(f"  {card.slug:<8} {card.name}, {card.role} ({card.price})")
            case "twin":
                await self._choose(argument.strip())
            case "proof":
                await self._proof()
            case "earnings":
                for line in await self._inbox.earnings():
                    self._earnings(line)
            case "credit":
                await self._show_credit(argument.strip())
            case "help":
                self._terminal.line(HELP)
            case _:
                self._terminal.line(f"  There is no command /{name}. /help lists them.")

    async def _choose(self, slug: str) -> None:
        cards = await self._inbox.twins()
        if not slug:
            self._terminal.line(f"  Name one: /twin {cards[0].slug}.")
            return
        card = next((card for card in cards if card.slug == slug), None)
        if card is None:
            names = ", ".join(card.slug for card in cards)
            self._terminal.line(f"  There is no twin {slug!r}. Try one of: {names}.")
            return
        self._twin = card
        turns = await self._inbox.history(card.slug, SURFACE, FAN)
        self._terminal.line(f"\nYou talk to {card.name}, {card.role} ({card.price}).")
        self._link = turns[-1].link if turns else None
        for turn in turns[-SHOWN_TURNS:]:
            self._terminal.dim(f"  earlier, you: {indented(turn.fan_text, '    ')}")
            self._terminal.dim(
                f"  earlier, {card.name} [{AI_LABEL}]: {indented(turn.reply_text, '    ')}"
            )

    async def _talk(self, text: str) -> None:
        if self._twin is None:
            self._terminal.line("  Choose a twin first: /twins lists them, /twin NAME picks one.")
            return
        self._number += 1
        message = IncomingMessage(
            twin=self._twin.slug,
            surface=SURFACE,
            fan=FAN,
            message_id=f"{self._session}-{self._number}",
            text=text,
        )
        named = False
        async for event in self._inbox.answer(message):
            if isinstance(event, ReplyShown):
                self._terminal.line()
                self._link = event.link
                fee = f"{format_nano(event.fee_nano)} {event.token}"
                self._terminal.dim(f"  fee {fee}  proof {event.link}")
                await self._inbox.delivered(event.receipt_id)
                await self._notices()
                continue
            if isinstance(event, MergedInto):
                raise InvariantError("the terminal has not let this message be merged")
            if not named:
                self._terminal.bold(f"{self._twin.name} [{AI_LABEL}]: ")
                named = True
            self._terminal.write(indented(event.text, "  "))

    async def _notices(self) -> None:
        if self._credit is not None:
            for notice in await self._credit.take_notices(Person(SURFACE.platform, FAN)):
                self._terminal.line(f"  {notice}")

    async def _show_credit(self, argument: str) -> None:
        if self._credit is None:
            self._terminal.line(f"  {NO_CREDIT}")
            return
        person = Person(SURFACE.platform, FAN)
        word, _, amount = argument.partition(" ")
        if word == "limit" and amount:
            view = await self._credit.set_daily_limit(person, amount.strip())
        elif argument:
            self._terminal.line(
                "  /credit shows it; /credit limit 0.5 is the most you spend a day."
            )
            return
        else:
            view = await self._credit.view(person)
        for line in credit_words(view):
            self._terminal.line(f"  {line}")

    async def _proof(self) -> None:
        if self._link is None:
            self._terminal.line("  There is no reply yet: say something first.")
            return
        self._terminal.line(f"  {self._link}")
        self._terminal.line(await self._explain_proof(self._link))

    def _earnings(self, line: EarningsLine) -> None:
        def amount(nano: int | None) -> str:
            return "unknown" if nano is None else f"{format_nano(nano)} {line.token}"

        self._terminal.line(f"  {line.twin_name}")
        self._terminal.line(f"    earned by the book    {amount(line.accrued_nano)}")
        self._terminal.line(f"    committed on-chain    {amount(line.committed_nano)}")
        self._terminal.line(f"    paid by the contract  {amount(line.claimed_nano)}")
        self._terminal.line(f"    balance of {line.payout}  {amount(line.chain_balance_nano)}")
        if line.last_tx is not None:
            self._terminal.line(f"    last epoch's transaction {line.last_tx}")
        self._terminal.line(f"    {_agreement(line)}")


def _agreement(line: EarningsLine) -> str:
    """Return in words how book and chain stand to each other."""
    if line.chain_balance_nano is None:
        return "the chain does not answer"
    if not line.committed_nano == line.claimed_nano == line.chain_balance_nano:
        return "committed, paid and balance differ: settlement is under way"
    fresh = line.accrued_nano - line.committed_nano
    if fresh >= NANO_PER_UNIT:
        amount = f"{format_nano(fresh)} {line.token}"
        return f"{amount} earned since the last epoch; the rest agrees"
    return "book and chain agree"
