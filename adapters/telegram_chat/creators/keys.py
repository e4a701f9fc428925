"""Creators' buttons, and what stands in them: at most 64 bytes, so a slug's digest."""

import hashlib
from dataclasses import dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from adapters.telegram_chat.events import CREATORS_PREFIX
from bot.ports.creators import TwinView

DIGEST_CHARS = 24
COLUMNS = 2
MENU, NEW, TWIN, EDIT, ASK, ACT = "menu", "new", "twin", "edit", "ask", "act"
ROLLBACK, REVOKE, FIELD, BOT = "back", "revoke", "field", "bot"
VERSIONS_SHOWN = 20
QUESTIONS = {
    "name": "Name",
    "role": "Role",
    "facts": "Facts",
    "off_limits": "Off limits",
    "examples": "Examples",
    "sampling": "Sampling",
}
FIELDS = {"slug": "Short name", "name": "Name", "role": "Role"}


@dataclass(frozen=True, slots=True)
class Key:
    """What a button says: an action, the digest of its twin's slug, and perhaps a word more."""

    action: str
    digest: str = ""
    word: str = ""

    def encode(self) -> str:
        """Write it as a button's data."""
        return f"{CREATORS_PREFIX}{self.action}:{self.digest}:{self.word}"


def parse_key(data: str) -> Key:
    """Read a button's data; whatever it is, it names an action that may not exist."""
    parts = data.removeprefix(CREATORS_PREFIX).split(":", 2)
    return Key(*parts)


def digest_of(slug: str) -> str:
    """Return what a button says instead of a slug."""
    return hashlib.sha256(slug.encode()).hexdigest()[:DIGEST_CHARS]


def twins_menu(slugs: list[str]) -> InlineKeyboardMarkup:
    """Return a button for each of a creator's twins, and one for a new one."""
    buttons = [_button(slug, Key(TWIN, digest_of(slug))) for slug in slugs[:90]]
    return InlineKeyboardMarkup([*_rows(buttons), [_button("New twin", Key(NEW))]])


def twin_menu(slug: str, *, is_paused: bool) -> InlineKeyboardMarkup:
    """Return what can be done with a twin."""
    digest = digest_of(slug)

    def act(label: str, word: str) -> InlineKeyboardButton:
        return _button(label, Key(ACT, digest, word))

    def ask(label: str, word: str) -> InlineKeyboardButton:
        return _button(label, Key(ASK, digest, word))

    buttons = [
        act("Show", "show"),
        _button("Edit", Key(EDIT, digest)),
        ask("Test", "test"),
        ask("Price", "price"),
        ask("Picture", "avatar"),
        ask("Import card", "import"),
        act("Export card", "export"),
        act("Publish", "publish"),
        act("Versions", "versions"),
        act("Resume", "resume") if is_paused else act("Pause", "pause"),
        act("Revoke", "revoke"),
        act("Earnings", "earnings"),
    ]
    buttons.append(_button("Bot of its own", Key(BOT, digest)))
    return InlineKeyboardMarkup([*_rows(buttons), [_button("All twins", Key(MENU))]])


def edit_menu(slug: str) -> InlineKeyboardMarkup:
    """Return what of a draft can be edited."""
    digest = digest_of(slug)
    buttons = [_button(label, Key(ASK, digest, word)) for word, label in QUESTIONS.items()]
    return InlineKeyboardMarkup([*_rows(buttons), [_button("Back", Key(TWIN, digest))]])


def versions_menu(view: TwinView) -> InlineKeyboardMarkup | None:
    """Return a button for each version that can be had again."""
    digest = digest_of(view.slug)
    buttons = [
        _button(f"Back to {one.version}", Key(ROLLBACK, digest, str(one.version)))
        for one in view.versions[:VERSIONS_SHOWN]
    ]
    return InlineKeyboardMarkup(_rows(buttons)) if buttons else None


def revoke_menu(view: TwinView) -> InlineKeyboardMarkup:
    """Return what of a twin can be revoked."""
    digest = digest_of(view.slug)
    buttons = [
        _button(f"Version {one.version}", Key(REVOKE, digest, str(one.version)))
        for one in view.versions[:VERSIONS_SHOWN]
        if one.state != "revoked"
    ]
    whole = _button("The whole twin, for ever", Key(REVOKE, digest, "all"))
    return InlineKeyboardMarkup([*_rows(buttons), [whole]])


def fields_menu() -> InlineKeyboardMarkup:
    """Return what of a twin that could not be made can be said again."""
    return InlineKeyboardMarkup(
        [[_button(label, Key(FIELD, "", word)) for word, label in FIELDS.items()]]
    )


def back_menu(slug: str) -> InlineKeyboardMarkup:
    """Return the way back to a twin's menu."""
    return InlineKeyboardMarkup([[_button("Back", Key(TWIN, digest_of(slug)))]])


def bots_menu(slugs: list[str]) -> InlineKeyboardMarkup:
    """Return a button for each twin that may get a bot."""
    buttons = [_button(slug, Key(BOT, digest_of(slug))) for slug in slugs[:90]]
    return InlineKeyboardMarkup(_rows(buttons))


def _button(label: str, key: Key) -> InlineKeyboardButton:
    return InlineKeyboardButton(label, callback_data=key.encode())


def _rows(buttons: list[InlineKeyboardButton]) -> list[list[InlineKeyboardButton]]:
    return [buttons[at : at + COLUMNS] for at in range(0, len(buttons), COLUMNS)]
