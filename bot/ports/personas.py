"""What a persona file says, as the core reads it."""

from dataclasses import dataclass

from bot.domain.persona import Persona


@dataclass(frozen=True, slots=True)
class PersonaFile:
    """A persona with the terms under which its creator wants it served.

    Attributes:
        slug: the file's name without extension; names the twin in commands.
        creator: display name of the creator.
        price_nano: per reply, in 1e-9 of the settlement token.
        temperature: a decimal string, as in the manifest; so is `top_p`.
    """

    slug: str
    creator: str
    persona: Persona
    price_nano: int
    temperature: str
    top_k: int
    top_p: str
    max_tokens: int
