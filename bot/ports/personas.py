"""What a persona file says, as the core reads it."""

from dataclasses import dataclass

from bot.domain.payment import FREE_DAILY
from bot.domain.persona import Persona


@dataclass(frozen=True, slots=True)
class PersonaFile:
    """A persona with the terms under which its creator wants it served.

    Attributes:
        slug: the file's name without extension; names the twin in commands.
        creator: display name of the creator.
        price_nano: per reply, in 1e-9 of the settlement token.
        free_daily: replies that a fan gets free in 24 hours.
        temperature: a decimal string, as in the manifest; so are `top_p`, `min_p` and the
            penalties.
        model: name of a model of this service; empty: its own.
    """

    slug: str
    creator: str
    persona: Persona
    price_nano: int
    temperature: str
    top_k: int
    top_p: str
    max_tokens: int
    min_p: str = "0"
    presence_penalty: str = "0"
    frequency_penalty: str = "0"
    model: str = ""
    free_daily: int = FREE_DAILY
