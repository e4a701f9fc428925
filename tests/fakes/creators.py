"""A creators' desk in memory, which holds its callers to the port's contract."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from bot.domain.errors import InvariantError, PersonaError, UserError
from bot.domain.payment import MAX_FREE_DAILY
from bot.domain.persona import Persona
from bot.ports.creators import (
    Actor,
    CardFile,
    CreatorDesk,
    DraftEdit,
    DraftText,
    ImportedCard,
    PauseResult,
    PublishedVersion,
    SigningLink,
    TwinView,
)
from bot.ports.views import EarningsLine

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EMPTY = DraftText(
    name="",
    role="",
    facts=(),
    off_limits=(),
    examples=(),
    temperature="0.8",
    top_p="0.95",
    top_k=40,
    max_tokens=200,
)


@dataclass(slots=True)
class MemoryCreatorDesk(CreatorDesk):
    """Keeps drafts by slug; nothing is signed, a test says what is published.

    Attributes:
        allowed: accounts that may create twins; None: everybody.
        base: where signing links point to.
        calls: (method, slug) in order, of calls that were allowed.
        says: what `test` answers.
    """

    allowed: set[str] | None = None
    base: str = "https://twins.example"
    says: str = "Ahoy from the draft."
    calls: list[tuple[str, str]] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    views: dict[str, TwinView] = field(default_factory=dict)

    async def twins_of(self, actor: Actor) -> list[str]:
        """Return the actor's slugs."""
        return sorted(slug for slug, owner in self.owners.items() if owner == actor.account)

    async def create(self, actor: Actor, slug: str, *, name: str, role: str) -> TwinView:
        """Begin a draft."""
        if self.allowed is not None and actor.account not in self.allowed:
            raise UserError("You may not create twins here: ask the operator to allow it.")
        if slug in self.owners:
            raise UserError(f"The name {slug} is taken: choose another one.")
        _check(name, role)
        self.owners[slug] = actor.account
        self.views[slug] = TwinView(
            slug=slug,
            state="draft only",
            draft=replace(EMPTY, name=name, role=role),
            price="0.002 tUSD per reply, 100 a day free",
            persona_text=f"You are {name}, {role}.",
            changes=(),
            versions=(),
            creator="",
            reports=0,
            has_avatar=False,
        )
        self.calls.append(("create", slug))
        return self.views[slug]

    async def show(self, actor: Actor, slug: str) -> TwinView:
        """Return the view."""
        return self._own(actor, slug, "show")

    async def edit(self, actor: Actor, slug: str, change: DraftEdit) -> TwinView:
        """Change the draft's values that are given."""
        view = self._own(actor, slug, "edit")
        given = {
            name: getattr(change, name)
            for name in DraftEdit.__slots__
            if getattr(change, name) is not None
        }
        draft = replace(view.draft, **given)
        _check(draft.name, draft.role, draft.facts)
        self.views[slug] = replace(
            view, draft=draft, persona_text=f"You are {draft.name}, {draft.role}."
        )
        return self.views[slug]

    async def set_price(
        self, actor: Actor, slug: str, amount: str, *, free_daily: int | None = None
    ) -> TwinView:
        """Change the price, and how many replies a day are free."""
        view = self._own(actor, slug, "set_price")
        try:
            good = 0 <= Decimal(amount) <= 1000
        except InvalidOperation:
            good = False
        if not good:
            raise UserError('The price must be a decimal number such as "0.002".')
        if free_daily is not None and not 0 <= free_daily <= MAX_FREE_DAILY:
            raise UserError(f"A fan may get 0 to {MAX_FREE_DAILY} replies a day free here.")
        free = view.price.split(", ")[1] if free_daily is None else f"{free_daily} a day free"
        self.views[slug] = replace(view, price=f"{amount} tUSD per reply, {free}")
        return self.views[slug]

    async def set_avatar(self, actor: Actor, slug: str, picture: bytes) -> TwinView:
        """Take a PNG or JPEG."""
        view = self._own(actor, slug, "set_avatar")
        if picture and not picture.startswith((b"\x89PNG", b"\xff\xd8")):
            raise UserError("The picture must be a PNG or JPEG of at most 256 KiB.")
        self.views[slug] = replace(view, has_avatar=bool(picture))
        return self.views[slug]

    async def import_card(self, actor: Actor, slug: str, card: CardFile) -> ImportedCard:
        """Take any file that begins as JSON or PNG."""
        view = self._own(actor, slug, "import_card")
        if not card.data.startswith((b"{", b"\x89PNG")):
            raise UserError("This is no character card: it must be a JSON or PNG card file.")
        draft = replace(view.draft, facts=("From a card.",))
        self.views[slug] = replace(view, draft=draft)
        return ImportedCard(self.views[slug], ("The card's system prompt was left out.",))

    async def export_card(self, actor: Actor, slug: str) -> CardFile:
        """Return a small card."""
        self._own(actor, slug, "export_card")
        return CardFile(f"{slug}.json", b'{"spec": "chara_card_v2"}')

    async def test(self, actor: Actor, slug: str, text: str) -> str:
        """Return the given words."""
        self._own(actor, slug, "test")
        if not text.strip():
            raise UserError("Please write something: the message is empty.")
        return self.says

    async def publish(self, actor: Actor, slug: str) -> SigningLink:
        """Return a link."""
        self._own(actor, slug, "publish")
        return self._link(slug)

    async def rollback(self, actor: Actor, slug: str, version: int) -> SigningLink:
        """Return a link, if there is such a version."""
        view = self._own(actor, slug, "rollback")
        if version not in {one.version for one in view.versions}:
            raise UserError(f"There is no version {version} of {slug}.")
        return self._link(slug)

    async def pause(self, actor: Actor, slug: str) -> PauseResult:
        """Pause at once."""
        view = self._own(actor, slug, "pause")
        self.views[slug] = replace(view, state="paused")
        return PauseResult(f"{view.draft.name} is paused.", self._link(slug))

    async def resume(self, actor: Actor, slug: str) -> PauseResult:
        """Go on."""
        view = self._own(actor, slug, "resume")
        if view.state != "paused":
            raise UserError(f"{view.draft.name} is not paused.")
        self.views[slug] = replace(view, state="live")
        return PauseResult(f"{view.draft.name} answers again.", None)

    async def revoke(self, actor: Actor, slug: str, version: int | None) -> SigningLink:
        """Return a link."""
        del version
        self._own(actor, slug, "revoke")
        return self._link(slug)

    async def earnings(self, actor: Actor, slug: str) -> EarningsLine:
        """Return a line."""
        view = self._own(actor, slug, "earnings")
        return EarningsLine(
            twin_name=view.draft.name,
            token="tUSD",  # noqa: S106  a symbol
            accrued_nano=1_700_000,
            committed_nano=0,
            claimed_nano=0,
            payout="0x" + "0" * 40,
            chain_balance_nano=None,
            last_tx=None,
        )

    def published(self, slug: str, version: int) -> None:
        """Say that a version was signed and is live."""
        view = self.views[slug]
        old = tuple(replace(one, state="replaced") for one in view.versions)
        new = PublishedVersion(version, bytes([version]) * 32, NOW, "live")
        self.views[slug] = replace(view, state="live", versions=(new, *old))

    def _own(self, actor: Actor, slug: str, method: str) -> TwinView:
        if not actor.account or not actor.platform:
            raise InvariantError("the port: an actor has a platform and an account")
        if self.owners.get(slug) != actor.account:
            raise UserError(f"You have no twin {slug}.")
        self.calls.append((method, slug))
        return self.views[slug]

    def _link(self, slug: str) -> SigningLink:
        url = f"{self.base}/sign/{'t' * 43}"
        return SigningLink(url, (f"Version 1 of {slug}",), NOW)


def _check(name: str, role: str, facts: tuple[str, ...] = ()) -> None:
    try:
        Persona(name=name, role=role, facts=facts)
    except PersonaError as error:
        raise UserError(str(error)) from error
