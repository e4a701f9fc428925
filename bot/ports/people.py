"""Who a person is: what every port that is about people shares."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on one platform, by the platform's own id."""

    platform: str
    fan: str
