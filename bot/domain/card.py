"""Character cards V1, V2 and V3: their JSON, and how a persona is read from and written into one.

A card is foreign: only its texts are used, never its prompts (`system_prompt`,
`post_history_instructions`), which could override what a twin must say of itself. Every key of a
card, known or not, is kept and comes back on export.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from bot.crypto.errors import FormatError
from bot.crypto.hashing import sha256
from bot.crypto.json_depth import is_deeper
from bot.domain.errors import PersonaError, UserError
from bot.domain.persona import Persona, persona_from_json, persona_to_json

MAX_JSON_BYTES = 1024 * 1024
MAX_KEPT_BYTES = 768 * 1024
MAX_DEPTH = 64
EXTENSION = "twinproof/persona"
_V1_FIELDS = ("name", "description", "personality", "scenario", "first_mes", "mes_example")
_V2_TEXTS = (*_V1_FIELDS, "creator_notes", "system_prompt", "post_history_instructions")
_V2_FIRST: Mapping[str, Any] = {
    **dict.fromkeys(_V2_TEXTS, ""),
    "alternate_greetings": [],
    "tags": [],
    "creator": "",
    "character_version": "",
    "extensions": {},
}
_MAX_DIGITS = 40
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NO_CARD = "This is no character card: it must be a JSON or PNG file of a V1, V2 or V3 card."


@dataclass(frozen=True, slots=True)
class CharacterCard:
    """A card as it was read.

    Attributes:
        version: 1, 2 or 3.
        whole: the card's object.
        data: the object that holds the character; for V1 the card itself.
    """

    version: int
    whole: Mapping[str, Any]
    data: Mapping[str, Any]

    def text(self, key: str) -> str:
        """Return a text of the character; empty where there is none."""
        value = self.data.get(key)
        return value if isinstance(value, str) else ""

    @property
    def extensions(self) -> Mapping[str, Any]:
        """What other programs have put into the card."""
        value = self.data.get("extensions")
        return value if isinstance(value, dict) else {}

    @property
    def own_persona(self) -> Persona | None:
        """The persona that Twinproof has written into it, if nobody has changed its texts since."""
        mark = self.extensions.get(EXTENSION)
        if not isinstance(mark, dict) or mark.get("of") != _texts_hash(self.data):
            return None
        try:
            return persona_from_json(mark.get("persona"))
        except (FormatError, PersonaError):
            return None


def parse_card(data: bytes) -> CharacterCard:
    """Parse a card's JSON.

    Raises:
        UserError: no card, or larger or deeper than any card is; one sentence.
    """
    whole = _parse_json(data)
    if not isinstance(whole, dict):
        raise UserError(_NO_CARD)
    version = {"chara_card_v2": 2, "chara_card_v3": 3}.get(str(whole.get("spec")), 1)
    character = whole if version == 1 else whole.get("data")
    if not isinstance(character, dict) or not isinstance(character.get("name"), str):
        raise UserError(_NO_CARD)
    return CharacterCard(version, whole, character)


def encode_kept(card: CharacterCard) -> bytes:
    """Encode a card to be kept for its keys; empty if it is too large for that."""
    data = _dump(card.whole)
    return data if len(data) <= MAX_KEPT_BYTES else b""


def export_card(persona: Persona, kept: bytes) -> bytes:
    """Encode a persona as a V2 card, with every key of the card that it once came from.

    Args:
        persona: what the card is to say.
        kept: from `encode_kept`; empty for none.
    """
    old = parse_card(kept) if kept else None
    whole = {} if old is None or old.version == 1 else dict(old.whole)
    data: dict[str, Any] = {**_V2_FIRST, **({} if old is None else old.data)}
    data.update(
        name=persona.name,
        description="\n".join(_description(persona)),
        personality="",
        scenario="",
        mes_example="\n".join(_examples(persona)),
    )
    extensions = data["extensions"] if isinstance(data["extensions"], dict) else {}
    mark = {"of": _texts_hash(data), "persona": persona_to_json(persona)}
    data["extensions"] = {**extensions, EXTENSION: mark}
    for field in _V1_FIELDS:  # many cards repeat them outside, for programs that know V1 alone
        if field in whole:
            whole[field] = data[field]
    return _dump({**whole, "spec": "chara_card_v2", "spec_version": "2.0", "data": data})


def _description(persona: Persona) -> list[str]:
    lines = [f"{{{{char}}}} is {persona.role}.", *persona.facts]
    if persona.off_limits:
        lines.append(f"{{{{char}}}} doesn't talk about: {', '.join(persona.off_limits)}.")
    return lines


def _examples(persona: Persona) -> list[str]:
    lines = []
    for one in persona.examples:
        lines += ["<START>", f"{{{{user}}}}: {one.fan}", f"{{{{char}}}}: {one.twin}"]
    return lines


def _texts_hash(data: Mapping[str, Any]) -> str:
    texts = [data.get(key) for key in ("name", "description", "mes_example")]
    return sha256(_dump(texts)).hex()


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _parse_json(data: bytes) -> object:
    if len(data) > MAX_JSON_BYTES:
        raise UserError("The card is too large: its JSON may have at most 1 MiB.")
    if is_deeper(data, MAX_DEPTH):
        raise UserError("The card can't be read: it is nested too deeply.")
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or a wild number
        raise UserError(_NO_CARD) from error
    _check_texts(value)
    return value


def _check_texts(value: object) -> None:
    """Refuse texts that no database or page could hold; depth is bounded before."""
    if isinstance(value, str):
        if "\x00" in value or _LONE_SURROGATE.search(value):
            raise UserError("The card can't be read: a text in it holds characters that are none.")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key)
            _check_texts(item)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        _refuse_number(text)
    return int(text)


def _decimal(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        _refuse_number(text)
    return value


def _refuse_number(_text: str) -> NoReturn:
    raise ValueError("no card has such a number")
