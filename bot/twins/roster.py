"""Live twins: the manifests in force, ready to be rendered; and twins that rest, with the reason.

Whoever makes a reply asks `find` or `by_id`, which know live twins only. What was answered before
may be shown of any twin that this service has had since its start: `known`.
"""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.errors import AdmissionError, UnknownTwinError
from bot.domain.manifest import Manifest
from bot.domain.persona import Persona
from bot.generation.rendering import persona_prefix
from bot.generation.sampling import SamplerPolicy

MAX_NAMED = 20


@dataclass(frozen=True, slots=True)
class LiveTwin:
    """A twin under a signed manifest.

    Attributes:
        persona_tokens: the persona span's token ids.
        avatar: PNG or JPEG bytes that were published with the manifest; empty for none.
    """

    manifest: Manifest
    manifest_hash: bytes
    persona: Persona
    persona_tokens: tuple[int, ...]
    avatar: bytes = b""

    @property
    def prefix(self) -> tuple[int, ...]:
        """Token ids that every context of this twin begins with."""
        return persona_prefix(self.manifest.rendering, self.persona_tokens)

    def check_valid(self, moment: datetime) -> None:
        """Refuse to serve outside the manifest's validity.

        Raises:
            AdmissionError: the manifest has expired or is not valid yet.
        """
        if not self.manifest.valid_from <= moment <= self.manifest.valid_until:
            raise AdmissionError(
                f"{self.manifest.name} is resting: the creator's signature has expired."
            )


def sampler_policy(manifest: Manifest) -> SamplerPolicy:
    """Return a manifest's sampler as the engine wants it."""
    sampler = manifest.sampler
    return SamplerPolicy(
        temperature=float(sampler.temperature),
        top_k=sampler.top_k,
        top_p=float(sampler.top_p),
        max_tokens=sampler.max_tokens,
        min_p=float(sampler.min_p),
        presence_penalty=float(sampler.presence_penalty),
        frequency_penalty=float(sampler.frequency_penalty),
    )


class Roster:
    """Twins by slug, live or at rest; read by every use case."""

    def __init__(self) -> None:
        self._twins: dict[str, LiveTwin] = {}
        self._resting: dict[str, tuple[LiveTwin, str]] = {}

    def put(self, twin: LiveTwin) -> None:
        """Make a twin live, in place of its earlier version."""
        slug = twin.manifest.slug
        self._resting.pop(slug, None)
        self._twins[slug] = twin

    def rest(self, twin: LiveTwin, reason: str) -> None:
        """Let a twin answer nobody; `reason` is the sentence for fans."""
        slug = twin.manifest.slug
        self._twins.pop(slug, None)
        self._resting[slug] = (twin, reason)

    def find(self, slug: str) -> LiveTwin:
        """Return a live twin.

        Raises:
            AdmissionError: the twin rests; the sentence says why.
            UnknownTwinError: there is none of that slug; the sentence lists those there are.
        """
        if slug in self._twins:
            return self._twins[slug]
        if slug in self._resting:
            raise AdmissionError(self._resting[slug][1])
        names = ", ".join(sorted(self._twins)[:MAX_NAMED]) or "none"
        raise UnknownTwinError(f"There is no twin {slug!r} here. Live twins: {names}.")

    def by_id(self, twin: bytes) -> LiveTwin | None:
        """Return the live twin with that id; None if it rests: its open intents are void."""
        return next((t for t in self._twins.values() if t.manifest.twin == twin), None)

    def known(self, twin: bytes) -> LiveTwin | None:
        """Return the twin with that id, live or resting: to show what it has said, no more."""
        resting = (one for one, _ in self._resting.values())
        return self.by_id(twin) or next((t for t in resting if t.manifest.twin == twin), None)

    def named(self, slug: str) -> LiveTwin | None:
        """Return the twin of that slug, live or resting: to show what it has said, no more."""
        resting = self._resting.get(slug)
        return self._twins.get(slug) or (None if resting is None else resting[0])

    def creators(self) -> list[str]:
        """Return the EIP-55 addresses of all creators, of resting twins too, in order."""
        resting = [twin for twin, _ in self._resting.values()]
        return sorted({twin.manifest.creator for twin in [*self._twins.values(), *resting]})

    def all(self) -> list[LiveTwin]:
        """Return the live twins, ordered by name."""
        return sorted(self._twins.values(), key=lambda twin: twin.manifest.name)
