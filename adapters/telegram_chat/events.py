"""What is for us in an update, and nothing more: what was said, pressed, made or paid.

An event is kept until it is handled, so it can be written as JSON and read back after a crash.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from bot.domain.errors import InvariantError

CREATORS_PREFIX = "c:"  # of the data of creators' buttons
ADDED = "added"  # the event of joining a group, told as a command that nobody can type
PHOTO_BYTES = 256 * 1024  # what a picture of a twin may have
PHOTO_NAME = "photo.jpg"
STARS = "XTR"  # the platform's code of its own currency


class Author(StrEnum):
    """Who wrote the message that is replied to."""

    US = "us"
    FORWARDED = "forwarded"  # by somebody else, from us
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Spot:
    """A thread of a chat, and who speaks there."""

    chat: int
    thread: int | None
    is_private: bool
    fan: int


@dataclass(frozen=True, slots=True)
class Attached:
    """A file in a private chat, by the platform's name for it; a creator may have sent a card.

    Attributes:
        size: in bytes; 0 if the platform does not say.
    """

    file_id: str
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message that is addressed to us, or that may be answered unasked.

    Attributes:
        text: without the command or the mention that addressed us; None if it has no words.
        command: a command's name without its slash; empty for plain words.
        replied_id: number of the message that it replies to; 0 if none.
        album: of a photo among several; empty otherwise.
        unasked: whether it is an ordinary message in a group, addressed to nobody.
        file: what a private message without words holds.
        name: what the person calls themself; with a creator's command only.
    """

    update_id: int
    spot: Spot
    message_id: int
    text: str | None
    command: str
    replied_id: int
    replied_author: Author
    album: str = ""
    unasked: bool = False
    file: Attached | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button of ours that was pressed; `message_id` is the message it stands under.

    Attributes:
        name: what the person calls themself; for a creator's button only.
    """

    update_id: int
    spot: Spot
    message_id: int
    query_id: str
    data: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class BotMade:
    """A bot that we manage was made, or has another token or owner; the spot is its creator's.

    Attributes:
        message_id: of the message that says so in the chat; 0 for the platform's own update.
        bot: its numeric id.
        username: its name, without @.
    """

    update_id: int
    spot: Spot
    message_id: int
    bot: str
    username: str


@dataclass(frozen=True, slots=True)
class Paid:
    """Stars that a person has paid us; the platform has them already.

    Attributes:
        message_id: of the message that says so in the chat.
        charge_id: the platform's number of the payment.
        stars: how many.
    """

    update_id: int
    spot: Spot
    message_id: int
    charge_id: str
    stars: int


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Stars of a payment that the platform has given back; fields as in `Paid`."""

    update_id: int
    spot: Spot
    message_id: int
    charge_id: str
    stars: int


Money = Paid | GivenBack
Event = Said | Pressed | BotMade | Paid | GivenBack
_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind for kind in (Said, Pressed, BotMade, Paid, GivenBack)
}


def encode_event(event: Event) -> str:
    """Write an event for the store."""
    return json.dumps({"type": type(event).__name__} | asdict(event), ensure_ascii=False)


def parse_event(payload: str) -> Event:
    """Read an event that was stored.

    Raises:
        InvariantError: another version of this program wrote it.
    """
    try:
        fields: dict[str, Any] = json.loads(payload)
        kind = _KINDS[fields.pop("type")]
        fields["spot"] = Spot(**fields["spot"])
        if "replied_author" in fields:
            fields["replied_author"] = Author(fields["replied_author"])
        if fields.get("file") is not None:
            fields["file"] = Attached(**fields["file"])
        event: Event = kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvariantError("a stored event can't be read") from error
    return event
