"""Who was forgotten, by keyed digest: what stays so that forgetting neither ends nor is undone."""

import hashlib
import hmac
from datetime import datetime, timedelta

from bot.crypto.hashing import tagged_hash
from bot.ports.fans import Erasure, Person

DAY = timedelta(days=1)


class Forgotten:
    """Names people by digest, and counts what forgotten ones have sent within a day.

    Owned by the event loop; `note` is told of each erasure once.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._erasures: dict[bytes, list[Erasure]] = {}

    def digest_of(self, person: Person) -> bytes:
        """Return 32 bytes that name a person only to those who hold the key and ask for them."""
        name = tagged_hash("erasure", person.platform, person.fan)
        return hmac.digest(self._key, name, hashlib.sha256)

    def note(self, erasure: Erasure) -> None:
        """Remember an erasure's messages; they count towards the quota for a day."""
        if not erasure.messages:
            return
        digest, oldest = erasure.tombstone.digest, erasure.tombstone.at - DAY
        known = self._erasures.get(digest, [])
        self._erasures[digest] = [one for one in known if one.tombstone.at >= oldest] + [erasure]

    def messages(self, platform: str, fan: str, since: datetime) -> int:
        """Return how many messages of a person were erased that still count since a time."""
        known = self._erasures.get(self.digest_of(Person(platform, fan)), [])
        return sum(one.messages for one in known if one.tombstone.at >= since)
