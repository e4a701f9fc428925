"""Every published twin of this service: which answers, which rests; kept true to what was signed.

The store of manifests and orders is the truth; the roster follows it. After each signature, and at
each start, `settle` reads it again, so that a write whose answer was lost is noticed.
"""

import asyncio
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

import structlog

from bot.creators.contexts import ask_contexts
from bot.creators.standing import OperatorNow, Standing, TwinState, judge
from bot.domain.errors import ConfigurationError, InvariantError, TransientError
from bot.domain.manifest import Manifest, parse_manifest
from bot.domain.persona import Persona
from bot.ports.clock import Clock
from bot.ports.creator_store import CreatorStore, SigningTicket
from bot.ports.models import ServedModels
from bot.ports.stores import Store, StoredManifest
from bot.twins.engines import engine_of
from bot.twins.publish import OperatorTerms
from bot.twins.roster import LiveTwin, Roster
from bot.twins.running import RunningReplies

_log = structlog.get_logger()
Progress = Callable[[str, float | None], None]


class TwinShelf:
    """Owns which twins are live; `_ids` and `_twins` belong to the event loop.

    `open` comes first: before it, nothing is known of what was published.
    """

    def __init__(
        self,
        *,
        store: Store,
        creators: CreatorStore,
        roster: Roster,
        running: RunningReplies,
        models: ServedModels,
        clock: Clock,
        terms: OperatorTerms,
    ) -> None:
        self._store = store
        self._creators = creators
        self._roster = roster
        self._running = running
        self._models = models
        self._clock = clock
        self._terms = terms
        self._now: OperatorNow | None = None
        self._ids: dict[str, bytes] = {}
        self._twins: dict[bytes, LiveTwin] = {}
        self._changed: Callable[[], None] = lambda: None
        self._following: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def terms(self) -> OperatorTerms:
        """What the operator puts into every manifest."""
        return self._terms

    def turn(self, slug: str) -> asyncio.Lock:
        """Return the lock under which a twin's requests are made, prepared, signed and closed."""
        return self._turns.setdefault(slug, asyncio.Lock())

    def on_live(self, told: Callable[[], None]) -> None:
        """Have somebody told whenever a twin goes live."""
        self._changed = told

    async def open(self, progress: Progress = lambda _title, _fraction: None) -> None:
        """Bring the creators' twins live, or to rest, as their signatures say.

        Twins of persona files are left as they are: who has no draft here is no creator's.

        Raises:
            TransientError: the engine or the store can't be asked.
        """
        async with self._store.reading() as tx:
            newest = [await tx.latest_manifest(twin) for twin in await tx.published_twins()]
        manifests = [parse_manifest(one.body) for one in newest if one is not None]
        self._now = OperatorNow(self._terms, await ask_contexts(self._models, manifests))
        self._ids.update((manifest.slug, manifest.twin) for manifest in manifests)
        for ticket in await self._creators.open_tickets():
            await self.settle(ticket)
        slugs = [slug for slug in await self._creators.slugs() if slug in self._ids]
        for done, slug in enumerate(slugs):
            progress("Bringing creators' twins live", done / len(slugs))
            await self.follow(slug)

    def is_taken(self, slug: str) -> bool:
        """Whether a published twin, live or not, has this name."""
        return slug in self._ids or self._roster.named(slug) is not None

    async def versions(self, slug: str) -> list[StoredManifest]:
        """Return the signed versions of a creator's twin, oldest first."""
        async with self._store.reading() as tx:
            return await tx.manifests_of(self._ids.get(slug, b""))

    async def standing(self, slug: str) -> Standing | None:
        """Return where a creator's twin stands now; None if nothing of it was published."""
        twin = self._ids.get(slug)
        if twin is None:
            return None
        if self._now is None:
            raise InvariantError("the shelf was asked before it was opened")
        spoken = await self._creators.pause_of(slug)
        async with self._store.reading() as tx:
            manifests = await tx.manifests_of(twin)
            orders = await tx.orders_of(twin)
        return judge(
            manifests,
            orders,
            spoken=spoken is not None,
            now=self._now,
            moment=self._clock.now(),
        )

    def serves(self, manifest: Manifest) -> bool:
        """Whether this service can keep what a manifest promises."""
        return self._now is not None and self._now.serves(manifest)

    async def settle(self, ticket: SigningTicket) -> str:
        """Close a request if one of its bodies is in force; return its sentence, or nothing.

        This is how a process that died between a signature's transaction and its request's end, or
        was told wrongly that the transaction had failed, finds out.
        """
        if ticket.done:
            return ticket.done
        for digest in ticket.prepared:
            sentence = await self.found(ticket, digest)
            if sentence:
                await self._act(ticket, digest)
                await self._close(ticket, digest, sentence)
                return sentence
        return ""

    async def found(self, ticket: SigningTicket, digest: bytes) -> str:
        """Return what a body of a request has done, if it is signed and kept; or nothing."""
        async with self._store.reading() as tx:
            if ticket.content is not None:
                stored = await tx.find_manifest(digest)
                return "" if stored is None else _published(parse_manifest(stored.body))
            twin = self._ids.get(ticket.slug, b"")
            manifests, orders = await tx.manifests_of(twin), await tx.orders_of(twin)
        kept = digest in {order.order_hash for order in orders}
        return order_sentence(ticket, manifests) if kept else ""

    async def _act(self, ticket: SigningTicket, digest: bytes) -> None:
        """Do what a kept signature says."""
        if ticket.content is not None:
            async with self._store.reading() as tx:
                stored = await tx.find_manifest(digest)
            if stored is None:
                raise InvariantError("a manifest has left the store")
            self._ids[ticket.slug] = stored.twin
            if digest not in self._twins:
                content = ticket.content
                await self.ready(parse_manifest(stored.body), content.persona, content.avatar)
        elif ticket.kind == "resume":
            spoken = await self._creators.pause_of(ticket.slug)
            if spoken is not None and spoken.since <= ticket.created_at:
                await self._creators.end_pause(ticket.slug)  # a later word still counts
        await self.follow(ticket.slug)

    async def _close(self, ticket: SigningTicket, digest: bytes, sentence: str) -> None:
        manifest = None if ticket.content is None else digest
        try:
            await self._creators.close_ticket(ticket.token_hash, done=sentence, manifest=manifest)
        except TransientError as error:  # it is in force all the same; the next look closes it
            _log.warning("signing.unclosed", twin=ticket.slug, reason=type(error).__name__)

    async def follow(self, slug: str, *, by: str = "") -> Standing | None:
        """Make roster and running replies what the store says of a twin; return where it stands.

        Args:
            slug: of the twin.
            by: names the event in the receipts of replies that are cut; where nothing is given, the
                order that put the twin to rest, or the pause that was spoken.
        """
        # One at a time: whoever reads before a pause must not make the twin live after it.
        async with self._following.setdefault(slug, asyncio.Lock()):
            standing = await self.standing(slug)
            if standing is None:
                return None
            twin = standing.newest.twin
            for version, order in standing.revoked.items():
                self._running.cut(twin, by=order.hex(), manifest=version)
            if standing.state is not TwinState.LIVE:
                await self._rest(standing, by)
                return standing
            live = await self._known(standing)
            self._running.unbar(twin)
            self._roster.put(live)
        self._changed()
        await self._prefill(live)
        return standing

    async def wake(self, slug: str) -> None:
        """Make live what an engine that was away has kept from it."""
        standing = await self.standing(slug)
        if standing is None or standing.state is not TwinState.LIVE:
            return
        live = self._roster.by_id(standing.newest.twin)
        if live is None or live.manifest_hash != standing.newest.hash:
            await self.follow(slug)

    async def _rest(self, standing: Standing, by: str) -> None:
        slug = standing.newest.slug
        spoken = await self._creators.pause_of(slug)
        event = by or (standing.ended_by.hex() if standing.ended_by else "")
        event = event or ("" if spoken is None else spoken.event) or standing.newest.hash.hex()
        self.halt(slug, standing.reason, by=event)  # first of all: the engine may be busy
        cut = self._running.bar(standing.newest.twin, by=event)
        self._roster.rest(await self._known(standing), standing.reason)
        _log.info("twin.rests", twin=slug, state=standing.state.value, cut=cut)

    def halt(self, slug: str, reason: str, *, by: str) -> None:
        """Put a twin to rest at once, before anything is read again."""
        live = self._roster.named(slug)
        if live is not None:
            self._roster.rest(live, reason)
            self._running.bar(live.manifest.twin, by=by)

    async def ready(self, manifest: Manifest, persona: Persona, avatar: bytes) -> LiveTwin:
        """Have everything that a version needs to answer, so that it can go live without waiting.

        Raises:
            TransientError: the engine can't be asked now.
        """
        text = manifest.rendering.span_prefix + persona.text()
        tokens = await engine_of(self._models, manifest).tokenize(text)
        live = LiveTwin(manifest, manifest.hash, persona, tokens, avatar)
        self._twins[live.manifest_hash] = live
        return live

    async def _known(self, standing: Standing) -> LiveTwin:
        """Return a version with its tokens; one that can't wake up here needs none."""
        digest = standing.newest.hash
        if standing.state not in {TwinState.LIVE, TwinState.PAUSED}:
            bare = LiveTwin(standing.newest, digest, standing.persona, ())
            return self._twins.get(digest, bare)
        if digest not in self._twins:
            avatar = await self._creators.avatar_of(digest)
            await self.ready(standing.newest, standing.persona, avatar)
        slug = standing.newest.slug
        for old, twin in list(self._twins.items()):
            if twin.manifest.slug == slug and old != digest:
                del self._twins[old]
        return self._twins[digest]

    async def _prefill(self, twin: LiveTwin) -> None:
        try:
            await engine_of(self._models, twin.manifest).prepare_prefix(twin.prefix)
        except TransientError as error:  # it answers all the same, only more slowly at first
            _log.warning("twin.prefix_cold", twin=twin.manifest.slug, reason=type(error).__name__)


async def check_names(creators: CreatorStore, personas: Sequence[str]) -> None:
    """Refuse persona files that have the name of a creator's twin.

    Raises:
        ConfigurationError: one of the slugs is a creator's.
    """
    for slug in sorted(set(personas) & set(await creators.slugs())):
        raise ConfigurationError(
            f"The name {slug} belongs to a creator's twin: rename the persona file {slug}.toml."
        )


def _published(manifest: Manifest) -> str:
    return f"Version {manifest.version} of {manifest.name} is signed and in force."


def order_sentence(ticket: SigningTicket, manifests: Sequence[StoredManifest]) -> str:
    """Return what an order has done, to a twin with these manifests."""
    name = parse_manifest(manifests[-1].body).name
    if ticket.kind == "pause":
        return f"{name} is paused, by your signature."
    if ticket.kind == "resume":
        return f"{name} may answer again."
    if ticket.manifest is None:
        return f"{name} is ended for good: it answers nobody any more, and its name stays taken."
    version = next(
        parse_manifest(one.body).version
        for one in manifests
        if one.manifest_hash == ticket.manifest
    )
    return f"Version {version} of {name} is revoked."
