"""The buttons under a reply and the window that Reply opens; they work after any restart."""

import re
from typing import Any, Protocol, Self, cast

import discord
from discord import ui

PROOF_LABEL, REPLY_LABEL = "Proof", "Reply"
MODAL_CHARACTERS = 2000
_TITLE_CHARACTERS = 45
_MODAL = re.compile(r"tp:say:(?P<twin>[a-z0-9_-]{1,64})")
_MARK = re.compile(r"tp:reply:(?P<asked>\d{1,20}):(?P<twin>[a-z0-9_-]{1,64})")

Interaction = discord.Interaction[Any]


class ButtonDesk(Protocol):
    """Who acts when a button is pressed; the client has one as `desk`."""

    async def on_proof(self, interaction: Interaction, receipt: str) -> None:
        """Give the link of a reply."""
        ...

    async def on_reply(self, interaction: Interaction, twin: str) -> None:
        """Open the window for another message to a twin."""
        ...


def _desk(interaction: Interaction) -> ButtonDesk:
    return cast("ButtonDesk", interaction.client.desk)


class ProofButton(
    ui.DynamicItem[ui.Button[ui.View]], template=r"tp:proof:(?P<receipt>[A-Za-z0-9_-]{22})"
):
    """Gives a reply's link: with its key to the fan who was answered."""

    def __init__(self, receipt: str) -> None:
        self.receipt = receipt
        super().__init__(ui.Button(label=PROOF_LABEL, custom_id=f"tp:proof:{receipt}"))

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button again from what the platform sends."""
        del interaction, item
        return cls(match["receipt"])

    async def callback(self, interaction: Interaction) -> None:
        """Act."""
        await _desk(interaction).on_proof(interaction, self.receipt)


class ReplyButton(ui.DynamicItem[ui.Button[ui.View]], template=_MARK):
    """Opens the window; also marks what its message answers, for reading back."""

    def __init__(self, asked: str, twin: str) -> None:
        self.twin = twin
        super().__init__(
            ui.Button(
                label=REPLY_LABEL,
                custom_id=f"tp:reply:{asked}:{twin}",
                style=discord.ButtonStyle.primary,
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button again from what the platform sends."""
        del interaction, item
        return cls(match["asked"], match["twin"])

    async def callback(self, interaction: Interaction) -> None:
        """Act."""
        await _desk(interaction).on_reply(interaction, self.twin)


class TalkModal(ui.Modal):
    """One field; what is sent comes back as an interaction, which `modal_twin` recognises."""

    def __init__(self, twin: str, name: str) -> None:
        super().__init__(title=f"To {name}"[:_TITLE_CHARACTERS], custom_id=f"tp:say:{twin}")
        field: ui.TextInput[Self] = ui.TextInput(
            custom_id="text",
            style=discord.TextStyle.paragraph,
            min_length=1,
            max_length=MODAL_CHARACTERS,
        )
        self.add_item(ui.Label(text="Your message", component=field))

    async def on_submit(self, interaction: Interaction, /) -> None:
        """Do nothing: the interaction itself is handled, so that restarts don't matter."""


def view_of(asked: str, twin: str, receipt: str) -> ui.View:
    """Return the buttons of a part; without a receipt only the one that marks it."""
    view = ui.View(timeout=None)
    view.add_item(ReplyButton(asked, twin))
    if receipt:
        view.add_item(ProofButton(receipt))
    return view


def modal_twin(interaction: Interaction) -> tuple[str, str] | None:
    """Return the twin and the text of a submitted window; None for anything else."""
    if interaction.type is not discord.InteractionType.modal_submit:
        return None
    data = cast("dict[str, Any]", interaction.data or {})
    found = _MODAL.fullmatch(str(data.get("custom_id", "")))
    if found is None:
        return None
    for label in data.get("components", []):
        component = label.get("component", {})
        if component.get("custom_id") == "text":
            return found["twin"], str(component.get("value", ""))
    return None


def answered_by(message: discord.Message) -> str | None:
    """Return the id that a message of ours answers, by its buttons or its reference."""
    for row in message.components:
        for item in getattr(row, "children", []):
            found = _MARK.fullmatch(getattr(item, "custom_id", None) or "")
            if found is not None:
                return found["asked"]
    if message.interaction_metadata is not None:
        return str(message.interaction_metadata.id)
    if message.reference is not None and message.reference.message_id is not None:
        return str(message.reference.message_id)
    return None
