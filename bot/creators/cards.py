"""Character cards in and out: a file becomes a draft, with notes on what was changed or left out.

The file is hostile until it is read: sizes, checksums, nesting and texts are bounded before
anything is made of them, and nothing that it names is fetched.
"""

import base64
import binascii
from dataclasses import dataclass, replace

from bot.creators.card_texts import CardReader, card_name
from bot.creators.hidden import hidden_in
from bot.creators.pictures import clean_png
from bot.creators.png import SIGNATURE, PngError, read_chunks
from bot.domain.card import CharacterCard, encode_kept, export_card, parse_card
from bot.domain.errors import UserError
from bot.domain.persona import Persona
from bot.ports.creator_store import DraftContent

MAX_FILE_BYTES = 8 * 1024 * 1024
_MAX_BASE64 = 2 * 1024 * 1024
_KEYWORDS = (b"ccv3", b"chara")  # the first wins
_UNUSED = {
    "system_prompt": "The card's system prompt was left out: a twin's rules come first.",
    "post_history_instructions": "The card's instructions after the history were left out.",
    "creator_notes": "The creator's notes are kept in the card, and never shown to the model.",
    "first_mes": "The greeting is kept in the card, and not used: a twin answers, it never begins.",
}


@dataclass(frozen=True, slots=True)
class CardImport:
    """What a card makes of a draft.

    Attributes:
        kept: the card's JSON, for its unknown keys.
        notes: what was changed or left out, one sentence each.
    """

    content: DraftContent
    kept: bytes
    notes: tuple[str, ...]


def imported_card(data: bytes, draft: DraftContent) -> CardImport:
    """Read a card over a draft; what the card does not say stays as it was.

    Raises:
        UserError: no card, or it is damaged, too large, or in a form that is not read here.
    """
    if len(data) > MAX_FILE_BYTES:
        raise UserError("The card is too large: a file may have at most 8 MiB.")
    picture = data.startswith(SIGNATURE)
    card = parse_card(_json_in(data) if picture else _plain(data))
    name = card_name(card.text("name"), CardReader(""))
    if not name:
        raise UserError("The card can't be used: its name has no visible character.")
    reader = CardReader(card_name(card.text("nickname"), CardReader("")) or name)
    card_name(card.text("name"), reader)
    persona = card.own_persona or _persona(card, name, draft.persona, reader)
    if hidden := hidden_in(persona):
        reader.note(f"The persona in this card holds invisible characters ({hidden}): look at it.")
    content = replace(draft, persona=persona)
    if picture:
        content = replace(content, avatar=_avatar(data, draft.avatar, reader))
    kept = encode_kept(card)
    if not kept:
        reader.note("The card is too large for its other keys to be kept.")
    _note_unused(card, reader)
    return CardImport(content, kept, tuple(reader.notes))


def exported_card(persona: Persona, kept: bytes) -> bytes:
    """Return a persona as a V2 card in JSON, with the keys of an imported one."""
    return export_card(persona, kept)


def _persona(card: CharacterCard, name: str, draft: Persona, reader: CardReader) -> Persona:
    texts = [card.text(key) for key in ("description", "personality", "scenario")]
    role, facts = reader.role_and_facts(texts)
    if not role:
        reader.note("The role was kept: the card's description does not begin with a short one.")
    if draft.off_limits:
        reader.note("The topics that are off limits were kept.")
    return Persona(
        name=name,
        role=role or draft.role,
        facts=facts,
        off_limits=draft.off_limits,
        examples=reader.examples(card.text("mes_example")),
    )


def _note_unused(card: CharacterCard, reader: CardReader) -> None:
    for key, sentence in _UNUSED.items():
        if card.text(key).strip():
            reader.note(sentence)
    if card.data.get("character_book"):
        reader.note("The card's lorebook is kept in the card; twins can't use knowledge yet.")
    if "talkativeness" in card.extensions:
        reader.note(
            "The card's talkativeness is kept in the card; how often a twin speaks unasked is set "
            "for each server or chat."
        )


def _avatar(data: bytes, old: bytes, reader: CardReader) -> bytes:
    try:
        return clean_png(data)
    except UserError:
        reader.note(
            "The card's picture was not taken: it has more than 256 KiB or 4096 x 4096 pixels."
        )
        return old


def _plain(data: bytes) -> bytes:
    if data.startswith(b"PK"):
        raise UserError("A .charx file is not read here: save the card as JSON or PNG.")
    return data


def _json_in(data: bytes) -> bytes:
    try:
        chunks = read_chunks(data)
    except PngError as error:
        raise UserError(f"The picture can't be read: {error}.") from error
    texts: dict[bytes, bytes] = {}
    packed = False
    for kind, body in chunks:
        keyword, _, text = body.partition(b"\x00")
        if keyword.lower() in _KEYWORDS:
            packed = packed or kind in {b"zTXt", b"iTXt"}
            if kind == b"tEXt":
                texts.setdefault(keyword.lower(), text)
    for wanted in _KEYWORDS:
        if wanted in texts:
            return _decoded(texts[wanted])
    if packed:
        raise UserError("The card in this picture is packed in an unusual way: save it as JSON.")
    raise UserError("This picture holds no character card.")


def _decoded(text: bytes) -> bytes:
    if len(text) > _MAX_BASE64:
        raise UserError("The card is too large: its JSON may have at most 1 MiB.")
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise UserError("The card in this picture is damaged: it is not base64.") from error
