"""What a chat surface calls for creators: drafts, publication, orders, earnings.

Every method that names a twin checks that the actor may configure it: `UserError` otherwise. All
refusals are `UserError` with one sentence for the person; nothing that was stored is lost by one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.persona import Example
from bot.ports.views import EarningsLine


@dataclass(frozen=True, slots=True)
class Actor:
    """Who configures: an account on a platform.

    Attributes:
        platform: `discord` or `telegram`.
        account: the platform's id of the person.
        name: what people see; kept as the creator's display name, never trusted.
    """

    platform: str
    account: str
    name: str


@dataclass(frozen=True, slots=True)
class DraftEdit:
    """Changes to a draft; None leaves a value as it is.

    Attributes:
        facts: replaces all facts; so do `off_limits` and `examples`.
        temperature: a decimal string; so is `top_p`.
    """

    name: str | None = None
    role: str | None = None
    facts: tuple[str, ...] | None = None
    off_limits: tuple[str, ...] | None = None
    examples: tuple[Example, ...] | None = None
    temperature: str | None = None
    top_p: str | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    min_p: str | None = None
    presence_penalty: str | None = None
    frequency_penalty: str | None = None


@dataclass(frozen=True, slots=True)
class DraftText:
    """A draft's texts, as forms show them for editing."""

    name: str
    role: str
    facts: tuple[str, ...]
    off_limits: tuple[str, ...]
    examples: tuple[Example, ...]
    temperature: str
    top_p: str
    top_k: int
    max_tokens: int
    min_p: str = "0"
    presence_penalty: str = "0"
    frequency_penalty: str = "0"


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """One signed version of a twin.

    Attributes:
        state: `live`, `replaced`, `revoked`, `expired` or `paused`, or `needs signature` (the
            operator has changed the model or the terms since).
    """

    version: int
    manifest: bytes
    published_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class TwinView:
    """What a creator sees of their own twin.

    Attributes:
        slug: name of the twin in commands.
        state: one word or two: `draft only`, `live`, `paused`, `revoked`, `expired`,
            `needs signature`.
        draft: the draft's texts.
        price: of the draft, in words.
        persona_text: the draft's persona text, exactly as the model would see it.
        changes: lines of a diff from the live version to the draft (`+ …`, `- …`); empty if the
            draft is what is live.
        versions: newest first.
        creator: EIP-55 address that owns the twin since its first signature; empty before.
        reports: how many people have complained about replies.
        has_avatar: whether the draft has a picture.
    """

    slug: str
    state: str
    draft: DraftText
    price: str
    persona_text: str
    changes: tuple[str, ...]
    versions: tuple[PublishedVersion, ...]
    creator: str
    reports: int
    has_avatar: bool


@dataclass(frozen=True, slots=True)
class CardFile:
    """A character card as a file: JSON, or PNG with the card inside; untrusted."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ImportedCard:
    """What an import made of a card.

    Attributes:
        notes: what was left out or changed, one sentence each.
    """

    view: TwinView
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SigningLink:
    """Where the creator signs.

    Attributes:
        url: address of the signing page for this one request; for the creator's eyes only.
        summary: what will be signed, in lines.
        expires_at: when the link stops working.
    """

    url: str
    summary: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PauseResult:
    """A pause, or the end of one, that acts already.

    Attributes:
        sentence: what has happened.
        link: signs the same as an order that stands in the log; None where it is already so.
    """

    sentence: str
    link: SigningLink | None


class CreatorDesk(Protocol):
    """The core's door for creators."""

    async def twins_of(self, actor: Actor) -> list[str]:
        """Return the slugs of the twins that an account may configure, in order."""
        ...

    async def create(self, actor: Actor, slug: str, *, name: str, role: str) -> TwinView:
        """Reserve a slug and begin a draft.

        Raises:
            UserError: the account may not create twins here, the slug is taken or not valid, the
                account has too many, or name or role break a rule.
        """
        ...

    async def show(self, actor: Actor, slug: str) -> TwinView:
        """Return what there is of a twin."""
        ...

    async def edit(self, actor: Actor, slug: str, change: DraftEdit) -> TwinView:
        """Change the draft."""
        ...

    async def set_price(
        self, actor: Actor, slug: str, amount: str, *, free_daily: int | None = None
    ) -> TwinView:
        """Change the draft's price per reply: a decimal of the settlement token (`0.002`).

        `free_daily` is how many replies a fan gets free in 24 hours; None leaves it.
        """
        ...

    async def set_avatar(self, actor: Actor, slug: str, picture: bytes) -> TwinView:
        """Change the draft's picture: PNG or JPEG, at most 256 KiB; empty takes it away."""
        ...

    async def import_card(self, actor: Actor, slug: str, card: CardFile) -> ImportedCard:
        """Fill the draft from a character card (V1, V2 or V3; JSON or PNG)."""
        ...

    async def export_card(self, actor: Actor, slug: str) -> CardFile:
        """Return the draft as a V2 card in JSON, with the keys of an imported one kept."""
        ...

    async def test(self, actor: Actor, slug: str, text: str) -> str:
        """Answer from the draft: for the creator alone, not billed, not proved, not remembered.

        Raises:
            UserError: the text is empty or too long, or the draft is not valid yet.
            TransientError: the engine is busy.
        """
        ...

    async def publish(self, actor: Actor, slug: str) -> SigningLink:
        """Freeze the draft and return where it is signed; it goes live with the signature.

        Raises:
            UserError: the draft is not valid, or is what is live already.
        """
        ...

    async def rollback(self, actor: Actor, slug: str, version: int) -> SigningLink:
        """Make the draft what a published version was, and return where that is signed again."""
        ...

    async def pause(self, actor: Actor, slug: str) -> PauseResult:
        """Stop the twin within two seconds, running replies too, until it is resumed."""
        ...

    async def resume(self, actor: Actor, slug: str) -> PauseResult:
        """End a pause of `pause`; one that was signed ends by a signature."""
        ...

    async def revoke(self, actor: Actor, slug: str, version: int | None) -> SigningLink:
        """Return where a revocation is signed: of one version, or (None) of the twin, for ever."""
        ...

    async def earnings(self, actor: Actor, slug: str) -> EarningsLine:
        """Return what a twin has earned."""
        ...
