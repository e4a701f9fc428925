"""How long a request will wait: an honest estimate from what the last requests took."""

from dataclasses import dataclass

from bot.domain.errors import EngineOverloadedError

WEIGHT = 0.2
FIRST_GUESS_S = 2.0


@dataclass(slots=True)
class WaitEstimate:
    """Smoothed time that one request occupies one of the places that run at once.

    Attributes:
        places: how many requests run at once.
    """

    places: int
    _occupied_s: float | None = None

    def finished(self, seconds: float) -> None:
        """Take note of how long a request ran."""
        before = self._occupied_s
        self._occupied_s = seconds if before is None else before + WEIGHT * (seconds - before)

    def wait_s(self, ahead: int) -> float:
        """Return the seconds until a request with `ahead` others before it begins.

        With all places taken, one of them gets free every (time of a request / places).
        """
        each = FIRST_GUESS_S if self._occupied_s is None else self._occupied_s
        return (ahead + 1) * each / self.places


def overloaded(wait_s: float) -> EngineOverloadedError:
    """Return the refusal of a request that would wait, or has waited, too long."""
    return EngineOverloadedError(
        "Too many fans are talking at once: "
        f"please try again in about {max(1, round(wait_s))} seconds.",
        retry_after_s=max(1.0, wait_s),
    )
