"""Live twins: the manifests in force, ready to be rendered."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.errors import AdmissionError, UnknownTwinError
from bot.domain.manifest import Manifest
from bot.domain.persona import Persona
from bot.generation.rendering import persona_prefix
from bot.generation.sampling import SamplerPolicy


@dataclass(frozen=True, slots=True)
class LiveTwin:
    """A twin under a signed manifest.

    Attributes:
        persona_tokens: the persona span's token ids.
    """

    manifest: Manifest
    manifest_hash: bytes
    persona: Persona
    persona_tokens: tuple[int, ...]

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
    return SamplerPolicy(
        temperature=float(manifest.sampler.temperature),
        top_k=manifest.sampler.top_k,
        top_p=float(manifest.sampler.top_p),
        max_tokens=manifest.sampler.max_tokens,
    )


class Roster:
    """Live twins by slug; replaced as a whole, read by every use case."""

    def __init__(self) -> None:
        self._twins: dict[str, LiveTwin] = {}

    def put(self, twin: LiveTwin) -> None:
        """Make a twin live, in place of its earlier version."""
        self._twins[twin.manifest.slug] = twin

    def find(self, slug: str) -> LiveTwin:
        """Return a live twin.

        Raises:
            UnknownTwinError: there is none of that slug; the sentence lists those there are.
        """
        try:
            return self._twins[slug]
        except KeyError:
            names = ", ".join(sorted(self._twins)) or "none"
            raise UnknownTwinError(
                f"There is no twin {slug!r} here. Live twins: {names}."
            ) from None

    def by_id(self, twin: bytes) -> LiveTwin | None:
        """Return the live twin with that id, if there is one."""
        return next((t for t in self._twins.values() if t.manifest.twin == twin), None)

    def all(self) -> list[LiveTwin]:
        """Return the live twins, ordered by name."""
        return sorted(self._twins.values(), key=lambda twin: twin.manifest.name)
