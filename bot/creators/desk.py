"""The door for creators: drafts, links to sign, the spoken pause; one object for every surface."""

import asyncio
from dataclasses import replace

from bot.creators.cards import exported_card, imported_card
from bot.creators.drafts import (
    check_persona_size,
    check_slug,
    describe_changes,
    draft_text,
    edited,
    first_content,
    owned_by,
    parse_price,
    published_content,
)
from bot.creators.orders import TwinOrders
from bot.creators.pictures import clean_picture
from bot.creators.policy import CreatorPolicy
from bot.creators.rehearsal import Rehearsal
from bot.creators.shelf import TwinShelf
from bot.creators.standing import Standing, TwinState
from bot.creators.statements import CreatorStatements
from bot.creators.tickets import SigningLinks
from bot.domain.errors import UserError
from bot.domain.manifest import parse_manifest, price_words
from bot.domain.persona import parse_persona
from bot.ports.clock import Clock
from bot.ports.creator_store import CreatorStore, Draft, DraftContent
from bot.ports.creators import (
    Actor,
    CardFile,
    CreatorDesk,
    DraftEdit,
    ImportedCard,
    PauseResult,
    SigningLink,
    TwinView,
)
from bot.ports.views import EarningsLine
from bot.twins.publish import RENEW_BEFORE


class CreatorsRoom(CreatorDesk):
    """Answers creators; `_writing` keeps two edits of drafts apart."""

    def __init__(
        self,
        *,
        policy: CreatorPolicy,
        creators: CreatorStore,
        shelf: TwinShelf,
        links: SigningLinks,
        rehearsal: Rehearsal,
        orders: TwinOrders,
        statements: CreatorStatements,
        clock: Clock,
    ) -> None:
        self._policy = policy
        self._creators = creators
        self._shelf = shelf
        self._links = links
        self._rehearsal = rehearsal
        self._orders = orders
        self._statements = statements
        self._clock = clock
        self._writing = asyncio.Lock()

    async def twins_of(self, actor: Actor) -> list[str]:
        """Return the slugs of the twins that an account may configure."""
        return await self._creators.slugs_of(actor.platform, actor.account)

    async def create(self, actor: Actor, slug: str, *, name: str, role: str) -> TwinView:
        """Reserve a slug and begin a draft."""
        self._policy.check(actor)
        check_slug(slug)
        content = self._policy.within(first_content(name, role))
        async with self._writing:
            if self._shelf.is_taken(slug) or await self._creators.find_draft(slug) is not None:
                raise UserError(f"The name {slug} is taken: choose another one.")
            draft = Draft(slug, actor.platform, actor.account, content)
            most = self._policy.twins_each
            if not await self._creators.add_draft(draft, at_most=most):
                raise UserError(f"You have {most} twins, which is as many as one account may have.")
        return await self._view(draft)

    async def show(self, actor: Actor, slug: str) -> TwinView:
        """Return what there is of a twin."""
        draft = await self._own(actor, slug)
        await self._links.settle(slug)
        await self._shelf.wake(slug)
        return await self._view(draft)

    async def edit(self, actor: Actor, slug: str, change: DraftEdit) -> TwinView:
        """Change the draft."""
        async with self._writing:
            draft = await self._own(actor, slug)
            return await self._save(draft, edited(draft.content, change))

    async def set_price(
        self, actor: Actor, slug: str, amount: str, *, free_daily: int | None = None
    ) -> TwinView:
        """Change the draft's price per reply, and how many a day are free."""
        async with self._writing:
            draft = await self._own(actor, slug)
            price, free = parse_price(amount), draft.content.free_daily
            self._policy.check_price(price, self._shelf.terms.token)
            if free_daily is not None:
                self._policy.check_free(free := free_daily)
            content = replace(draft.content, price_nano=price, free_daily=free)
            return await self._save(draft, content)

    async def set_avatar(self, actor: Actor, slug: str, picture: bytes) -> TwinView:
        """Change the draft's picture."""
        async with self._writing:
            draft = await self._own(actor, slug)
            avatar = clean_picture(picture) if picture else b""
            return await self._save(draft, replace(draft.content, avatar=avatar))

    async def import_card(self, actor: Actor, slug: str, card: CardFile) -> ImportedCard:
        """Fill the draft from a character card."""
        async with self._writing:
            draft = await self._own(actor, slug)
            found = await asyncio.to_thread(imported_card, card.data, draft.content)
            check_persona_size(found.content.persona)
            view = await self._save(replace(draft, card=found.kept), found.content)
        return ImportedCard(view, found.notes)

    async def export_card(self, actor: Actor, slug: str) -> CardFile:
        """Return the draft as a V2 card in JSON."""
        draft = await self._own(actor, slug)
        return CardFile(f"{slug}.json", exported_card(draft.content.persona, draft.card))

    async def test(self, actor: Actor, slug: str, text: str) -> str:
        """Answer from the draft, for the creator alone."""
        draft = await self._own(actor, slug)
        return await self._rehearsal.answer(actor, slug, draft.content, text)

    async def publish(self, actor: Actor, slug: str) -> SigningLink:
        """Freeze the draft and return where it is signed."""
        draft = await self._own(actor, slug)
        return await self._publish(draft, await self._standing(slug))

    async def rollback(self, actor: Actor, slug: str, version: int) -> SigningLink:
        """Make the draft what a published version was, and return where that is signed again."""
        async with self._writing:
            draft = await self._own(actor, slug)
            standing = await self._standing(slug)
            for stored in await self._shelf.versions(slug):
                manifest = parse_manifest(stored.body)
                if manifest.version == version:
                    avatar = await self._creators.avatar_of(stored.manifest_hash)
                    persona = parse_persona(stored.persona)
                    content = published_content(manifest, persona, avatar)
                    break
            else:
                raise UserError(f"There is no version {version} of {slug}.")
            await self._refuse_unchanged(content, standing)
            draft = replace(draft, content=content)
            await self._creators.save_draft(draft)
        return await self._publish(draft, standing)

    async def pause(self, actor: Actor, slug: str) -> PauseResult:
        """Stop the twin at once, running replies too, until it is resumed."""
        await self._own(actor, slug)
        return await self._orders.pause(slug, await self._published(slug))

    async def resume(self, actor: Actor, slug: str) -> PauseResult:
        """End a pause of `pause`; one that was signed ends by a signature."""
        await self._own(actor, slug)
        return await self._orders.resume(slug, await self._published(slug))

    async def revoke(self, actor: Actor, slug: str, version: int | None) -> SigningLink:
        """Return where a revocation is signed: of one version, or (None) of the twin, for ever."""
        await self._own(actor, slug)
        return await self._orders.revoke(slug, await self._published(slug), version)

    async def earnings(self, actor: Actor, slug: str) -> EarningsLine:
        """Return what a twin has earned."""
        draft = await self._own(actor, slug)
        return await self._statements.earnings(draft.content, await self._shelf.standing(slug))

    async def _own(self, actor: Actor, slug: str) -> Draft:
        """Return an account's draft; who has none is told the same, whether it exists or not."""
        draft = await self._creators.find_draft(slug)
        if draft is None or not owned_by(draft, actor.platform, actor.account):
            mine = ", ".join(await self.twins_of(actor)) or "none yet"
            raise UserError(f"You have no twin of that name. Your twins: {mine}.")
        return draft

    async def _standing(self, slug: str) -> Standing | None:
        """Return where a twin stands, if it may still be changed."""
        await self._links.settle(slug)
        standing = await self._shelf.standing(slug)
        if standing is not None and standing.state is TwinState.REVOKED:
            raise UserError(
                f"{standing.newest.name} was revoked for good: create another twin, under another "
                "name."
            )
        return standing

    async def _published(self, slug: str) -> Standing:
        standing = await self._standing(slug)
        if standing is None:
            raise UserError("This twin is not published yet: only its draft exists.")
        return standing

    async def _publish(self, draft: Draft, standing: Standing | None) -> SigningLink:
        """Have everything checked that can be, before anybody signs."""
        slug, content = draft.slug, draft.content
        self._policy.check_price(content.price_nano, self._shelf.terms.token)
        self._policy.check_free(content.free_daily)
        await self._refuse_unchanged(content, standing)
        rehearsed = await self._rehearsal.check(slug, content)
        await self._rehearsal.warm(rehearsed)
        number = 1 if standing is None else standing.newest.version + 1
        token = self._shelf.terms.token
        summary = (
            f"Version {number} of {content.persona.name} ({slug})",
            f"Price: {price_words(content.price_nano, token, content.free_daily)}",
            "It goes live with your signature.",
        )
        return await self._links.issue(slug, "publish", summary, content=content)

    async def _refuse_unchanged(self, content: DraftContent, standing: Standing | None) -> None:
        if standing is None or standing.state not in {TwinState.LIVE, TwinState.PAUSED}:
            return
        newest = standing.newest
        lasting = self._clock.now() + RENEW_BEFORE < newest.valid_until
        if lasting and content == await self._signed(standing):
            raise UserError(
                f"That is what version {newest.version} of {newest.name} says already: "
                "change the draft first."
            )

    async def _signed(self, standing: Standing) -> DraftContent:
        avatar = await self._creators.avatar_of(standing.newest.hash)
        return published_content(standing.newest, standing.persona, avatar)

    async def _save(self, draft: Draft, content: DraftContent) -> TwinView:
        changed = replace(draft, content=content)
        await self._creators.save_draft(changed)
        return await self._view(changed)

    async def _view(self, draft: Draft) -> TwinView:
        standing = await self._shelf.standing(draft.slug)
        content, token = draft.content, self._shelf.terms.token
        changes: tuple[str, ...] = ()
        if standing is not None:
            changes = describe_changes(await self._signed(standing), content, token)
        state = TwinState.DRAFT if standing is None else standing.state
        return TwinView(
            slug=draft.slug,
            state=state.value,
            draft=draft_text(content),
            price=price_words(content.price_nano, token, content.free_daily),
            persona_text=content.persona.text(),
            changes=changes,
            versions=() if standing is None else standing.versions,
            creator="" if standing is None else standing.newest.creator,
            reports=await self._statements.reports(standing),
            has_avatar=bool(content.avatar),
        )
