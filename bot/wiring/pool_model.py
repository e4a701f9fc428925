"""What an engine pool is told of: models, how much may be loaded, and who pauses."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from bot.domain.errors import EngineCrashedError
from bot.domain.model_record import TemplateIds
from bot.ports.inference import InferenceEngine

PAUSE_S = 60.0
NOT_STARTED = (
    "The model of this twin can't be started now; nothing was charged. "
    "Please try again in {} seconds."
)


@dataclass(frozen=True, slots=True)
class PoolModel:
    """A model that may be loaded.

    Attributes:
        gguf: SHA-256 of its file, 32 bytes.
        name: for the operator's log.
        needed_bytes: memory that it takes, estimated.
        template: compiled.
        weights_bytes: the part of it that is mapped, which the system goes on counting as free.
    """

    gguf: bytes
    name: str
    needed_bytes: int
    template: TemplateIds
    weights_bytes: int = 0


Load = Callable[[PoolModel], AbstractAsyncContextManager[InferenceEngine]]
"""Starts a model's engine, which ends with the block."""


Check = Callable[[PoolModel], Coroutine[object, object, None]]
"""Raises ConfigurationError if a model's file is not there, or not the right one."""


Told = Callable[[str, PoolModel, str], None]
"""Told of what happens to engines: an event's name, the model, and why."""


def tell_nobody(_event: str, _model: PoolModel, _reason: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How much may be loaded at a time.

    Attributes:
        most: so many models.
        spare_bytes: memory that stays free for everything else.
        free_bytes: tells how much is free now; None where that is not known.
    """

    most: int
    spare_bytes: int
    free_bytes: Callable[[], int | None]


class Pauses:
    """Remembers until when a model that could not start is not tried again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[bytes, float] = {}

    def begin(self, model: PoolModel) -> None:
        """Have a model pause from now on."""
        self._until[model.gguf] = self._clock() + PAUSE_S

    def refuse(self, model: PoolModel) -> None:
        """Do nothing, unless the model pauses.

        Raises:
            EngineCrashedError: it does, and for how long.
        """
        pause = self._until.get(model.gguf, float("-inf")) - self._clock()
        if pause > 0:
            seconds = max(1, round(pause))
            raise EngineCrashedError(NOT_STARTED.format(seconds), retry_after_s=pause)
