"""Characters that a model reads and a person does not see, or that show a text in another order.

A creator answers for every word of a persona, so they are told of such characters before they sign.
Joiners and the marks of scripts that run from right to left are not among them: people need those.
"""

import re

from bot.domain.persona import Persona

HIDDEN = re.compile(
    r"[\xad\u115f\u1160\u180e\u200b\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb"
    r"\U000e0000-\U000e0fff]"
)
SHOWN = 5


def hidden_in(persona: Persona) -> str:
    """Name the hidden characters in a persona, as `U+202E, U+200B`; empty if there are none."""
    found = sorted(set(HIDDEN.findall(persona.text())))
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return ", ".join([*(f"U+{ord(char):04X}" for char in found[:SHOWN]), *more])
