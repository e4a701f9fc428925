"""Models over engines in this process."""

from collections.abc import Sequence

from bot.domain.terms import ModelTerms
from bot.ports.inference import InferenceEngine
from bot.ports.models import ServedModel, ServedModels


class MemoryModels(ServedModels):
    """A service's own model, and perhaps others; it is the service's own whatever its hash."""

    def __init__(
        self,
        engine: InferenceEngine,
        terms: ModelTerms,
        others: Sequence[tuple[ModelTerms, InferenceEngine]] = (),
    ) -> None:
        self._all = tuple(ServedModel(*one) for one in [(terms, engine), *others])

    @property
    def own(self) -> ServedModel:
        """The first one."""
        return self._all[0]

    def named(self, name: str) -> ServedModel | None:
        """Return the model of that name."""
        if not name:
            return self.own
        return next((one for one in self._all if one.terms.name == name), None)

    def of(self, gguf: bytes) -> ServedModel | None:
        """Return the model of that hash."""
        return next((one for one in self._all if one.terms.gguf == gguf), None)

    def all(self) -> tuple[ServedModel, ...]:
        """Return all, the own one first."""
        return self._all
