"""Pause, resume, revoke: what acts on the account's word, and what needs the creator's signature.

A pause acts at once on the word of the account, and is kept; its end needs no more than that word.
A signed pause stands in the log and ends by a signature alone.
"""

from bot.creators.shelf import TwinShelf
from bot.creators.standing import Standing, TwinState
from bot.creators.tickets import SigningLinks
from bot.domain.errors import TransientError, UserError
from bot.domain.times import encode_time
from bot.ports.clock import Clock, Entropy
from bot.ports.creator_store import CreatorStore, SpokenPause
from bot.ports.creators import PauseResult, PublishedVersion, SigningLink

EVENT_BYTES = 8


class TwinOrders:
    """What a creator orders about a published twin."""

    def __init__(
        self,
        *,
        creators: CreatorStore,
        shelf: TwinShelf,
        links: SigningLinks,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._creators = creators
        self._shelf = shelf
        self._links = links
        self._clock = clock
        self._entropy = entropy

    async def pause(self, slug: str, standing: Standing) -> PauseResult:
        """Put a twin to rest now; durable when this returns.

        Raises:
            StoreBusyError: it could not be kept; what is kept counts.
        """
        name = standing.newest.name
        if standing.order_paused:
            return PauseResult(f"{name} is paused already, by your signature.", None)
        now = self._clock.now().replace(microsecond=0)
        event = f"pause:{encode_time(now)}:{self._entropy.random_bytes(EVENT_BYTES).hex()}"
        if standing.state is TwinState.LIVE:
            self._shelf.halt(slug, f"{name} is paused by its creator.", by=event)
        try:
            await self._creators.speak_pause(SpokenPause(slug, event, now))
        except TransientError:
            await self._shelf.follow(slug)
            raise
        await self._shelf.follow(slug)
        summary = (f"Pause {name} ({slug})", "It is paused already; a signature logs that.")
        link = await self._links.issue(slug, "pause", summary)
        return PauseResult(f"{name} is paused: it answers nobody until you resume it.", link)

    async def resume(self, slug: str, standing: Standing) -> PauseResult:
        """End a spoken pause, or return where the end of a signed one is signed."""
        name = standing.newest.name
        if standing.order_paused:
            link = await self._links.issue(slug, "resume", (f"Resume {name} ({slug})",))
            return PauseResult(
                f"{name} was paused by your signature, and takes one to go on: please sign.", link
            )
        if await self._creators.pause_of(slug) is None:
            return PauseResult(f"{name} is not paused.", None)
        await self._creators.end_pause(slug)
        now = await self._shelf.follow(slug)
        await self._links.withdraw(slug, "pause", f"{name} was resumed: there is nothing to sign.")
        if now is not None and now.state is not TwinState.LIVE:
            return PauseResult(f"The pause is over. {now.reason}", None)
        return PauseResult(f"{name} answers again.", None)

    async def revoke(self, slug: str, standing: Standing, version: int | None) -> SigningLink:
        """Return where a revocation is signed.

        Raises:
            UserError: there is no such version, or it is revoked already.
        """
        name = standing.newest.name
        if version is None:
            final = (f"Revoke {name} ({slug}) for good", "This can't be undone.")
            return await self._links.issue(slug, "revoke", final)
        found = self._version(standing, version)
        summary = (f"Revoke version {version} of {name} ({slug})",)
        return await self._links.issue(slug, "revoke", summary, manifest=found.manifest)

    @staticmethod
    def _version(standing: Standing, number: int) -> PublishedVersion:
        for version in standing.versions:
            if version.version == number:
                if version.state == TwinState.REVOKED.value:
                    raise UserError(f"Version {number} is revoked already.")
                return version
        raise UserError(f"There is no version {number} of {standing.newest.name}.")
