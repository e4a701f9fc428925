"""The windows that open over Discord; what is sent comes back as an interaction.

They are recognised by their ids, so that those of an earlier process still work.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

import discord
from discord import ui

MODAL_CHARACTERS = 2000
FIELD_CHARACTERS = 4000
REASON_CHARACTERS = 1000
_TITLE_CHARACTERS = 45
_OPEN_S = 900.0
_NAME = re.compile(
    r"tp:(?P<kind>say|report|edit|limit|ask|dispute):(?P<about>[A-Za-z0-9_:-]{1,80})"
)

Interaction = discord.Interaction[Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its id, what stands above it, what stands in it, how long it may be."""

    name: str
    label: str
    value: str = ""
    longest: int = FIELD_CHARACTERS
    required: bool = False
    lines: bool = True
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A window that was sent: what kind, what about, and what stands in its fields."""

    kind: str
    about: str
    values: dict[str, str]


class Window(ui.Modal):
    """Shows fields; the interaction that it sends is handled by the client.

    Its memory here ends after a while; sending it later works all the same.
    """

    def __init__(self, kind: str, about: str, title: str, fields: list[Field]) -> None:
        name = f"tp:{kind}:{about}"
        super().__init__(title=title[:_TITLE_CHARACTERS], custom_id=name, timeout=_OPEN_S)
        for field in fields:
            style = discord.TextStyle.paragraph if field.lines else discord.TextStyle.short
            box: ui.TextInput[Any] = ui.TextInput(
                custom_id=field.name,
                style=style,
                default=field.value or None,
                required=field.required,
                min_length=1 if field.required else None,
                max_length=field.longest,
            )
            described = field.hint or None
            self.add_item(ui.Label(text=field.label, description=described, component=box))

    async def on_submit(self, interaction: Interaction, /) -> None:
        """Do nothing: the interaction itself is handled, so that restarts don't matter."""


def talk_window(twin: str, name: str) -> Window:
    """Return the window for another message to a twin."""
    field = Field("text", "Your message", longest=MODAL_CHARACTERS, required=True)
    return Window("say", twin, f"To {name}", [field])


def report_window(message: str) -> Window:
    """Return the window for a complaint about a reply."""
    label = "What is wrong with it? (optional)"
    hint = "Goes to this twin's creator and the operator"
    field = Field("reason", label, longest=REASON_CHARACTERS, hint=hint)
    return Window("report", message, "Report this reply", [field])


def dispute_window(about: str) -> Window:
    """Return the window for what is wrong with a reply, named by itself or by its message."""
    label = "What is wrong with it? (optional)"
    hint = "I replay the reply and compare it with what you were shown"
    field = Field("reason", label, longest=REASON_CHARACTERS, hint=hint)
    return Window("dispute", about, "Something wrong with this reply?", [field])


def submitted_window(interaction: Interaction) -> Submitted | None:
    """Return what a window of ours has sent; None for anything else."""
    if interaction.type is not discord.InteractionType.modal_submit:
        return None
    data = cast("dict[str, Any]", interaction.data or {})
    found = _NAME.fullmatch(str(data.get("custom_id", "")))
    if found is None:
        return None
    values = {}
    for label in data.get("components", []):
        component = label.get("component", {})
        values[str(component.get("custom_id"))] = str(component.get("value") or "")
    return Submitted(found["kind"], found["about"], values)
