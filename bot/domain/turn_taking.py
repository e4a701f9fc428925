"""Who speaks in a group: how often a twin answers what nobody asked it."""

import hashlib

PERCENT = 100
_TAG = b"twinproof/unasked\x00"


def speaks_unasked(message_id: str, percent: int) -> bool:
    """Say whether a twin answers a message that was not meant for it.

    The same message always gets the same decision, so that an event that comes twice, or after a
    restart, changes nothing; and whoever is answered at one percentage is so at each higher one.

    Args:
        message_id: the platform's id of the message.
        percent: the place's talkativeness, 0 (never) to 100 (always).
    """
    digest = hashlib.sha256(_TAG + message_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % PERCENT < percent
