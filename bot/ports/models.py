"""The models that twins may run on: which there are, and the engine of each.

One engine process serves one model; which of them are loaded at a time is decided behind this port.
"""

from dataclasses import dataclass
from typing import Protocol

from bot.domain.terms import ModelTerms
from bot.ports.inference import InferenceEngine


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model of this service.

    Attributes:
        terms: what a manifest says of it.
        engine: answers as long as the service runs, loading the model when it is first asked.
    """

    terms: ModelTerms
    engine: InferenceEngine


class ServedModels(Protocol):
    """The models of this service; which there are does not change while it runs."""

    @property
    def own(self) -> ServedModel:
        """The model of whoever names none: that of the configuration, or the starter."""
        ...

    def named(self, name: str) -> ServedModel | None:
        """Return the model of that name, `own` for an empty one; None if there is none."""
        ...

    def of(self, gguf: bytes) -> ServedModel | None:
        """Return the model whose file has that SHA-256; None if it is not here."""
        ...

    def all(self) -> tuple[ServedModel, ...]:
        """Return every model, `own` first."""
        ...
