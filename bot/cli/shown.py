"""Chosen fields of a reply on a terminal: what each holds, and what a disclosure shows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from rich.text import Text

from bot.cli import printing
from bot.crypto.canonical import JsonValue
from bot.domain.errors import UserError
from bot.domain.persona import Persona, persona_to_json
from bot.domain.printable import indented, printable
from bot.receipts.disclosure import PERSONA, VERSION, verify_disclosure
from bot.receipts.link import ProofLink
from bot.receipts.trust import TrustPolicy
from bot.receipts.verified import VerifiedReceipt

MEANINGS: Mapping[str, str] = {
    "slot": "where the message stands: platform, bot, chat, thread and its number",
    "conversation": "which conversation it is: its id",
    "turn": "which turn of it, and the receipt of the turn before",
    "message": "what the fan wrote, with the numbers of the platform's messages",
    "spans": "all that the model was given, as tokens: persona, earlier turns, message",
    "context": "the same tokens in one row",
    "output": "the reply as tokens",
    "reply": "the reply's text, and how it ended",
    "event": "whether somebody asked for another reply or stopped it, and by which message",
    "choice": "which earlier turns could have been quoted",
    "counts": "how many tokens went in and came out",
    "seed": "the proof that the seed is of this message",
    PERSONA: "who the twin is told to be, as its creator wrote it",
}
_LONGEST = 400
# An object's keys are in their order, so the version ends it (formats.md section 9.3).
_END = f'"v":"{VERSION}"}}'.encode()


@dataclass(frozen=True, slots=True)
class Shown:
    """What a true disclosure shows: JSON values by field, and perhaps the persona."""

    verified: VerifiedReceipt
    persona: Persona | None
    values: Mapping[str, JsonValue]

    def as_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        persona = None if self.persona is None else persona_to_json(self.persona)
        return {"persona": persona, "fields": dict(self.values)}


def open_shown(data: bytes, link: ProofLink, policy: TrustPolicy | None) -> Shown | None:
    """Verify a disclosure; None where the bytes are something else.

    Raises:
        VerificationError: it is false.
        UserError: a key was given with it.
    """
    if not data.endswith(_END):
        return None
    if link.key is not None:
        raise UserError("This file discloses chosen fields and has no key: leave out #k=….")
    found = verify_disclosure(data, policy=policy)
    return Shown(found.verified, found.persona, found.values)


def print_shown(shown: Shown) -> None:
    """Print what a disclosure shows, in other people's words, and what it leaves closed."""
    printing.out.print("Disclosed by somebody who has the key:\n")
    for name, value in shown.values.items():
        printing.out.print(Text(f"  {name}: {indented(_words(name, value), '    | ')}"))
    if shown.persona is not None:
        text = indented(shown.persona.text(), "    | ")
        printing.out.print(Text(f"  {PERSONA}: {text}"))
    open_names = {*shown.values, *([PERSONA] if shown.persona else [])}
    closed = [name for name in MEANINGS if name not in open_names]
    printing.out.print(f"\nClosed: {', '.join(closed) or 'nothing'}.\n")


def _words(name: str, value: JsonValue) -> str:
    """Return texts as they are, and anything else as JSON, cut where it is long."""
    if isinstance(value, dict):
        parts, text = value.get("parts"), value.get("text")
        if name == "message" and isinstance(parts, list):
            return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict))
        if name == "reply" and isinstance(text, str):
            return text
    words = json.dumps(value, ensure_ascii=True)
    return words if len(words) <= _LONGEST else f"{printable(words[:_LONGEST])}… (--json shows all)"
