"""The buttons under a reply; they work after any restart."""

import re
from typing import Any, Protocol, Self, cast

import discord
from discord import ui

PROOF_LABEL, REPLY_LABEL, STOP_LABEL, AGAIN_LABEL = "Proof", "Reply", "Stop", "Another reply"
_REPLY = re.compile(r"tp:reply:(?P<asked>\d{1,20}):(?P<twin>[a-z0-9_-]{1,64})")
_STOP = re.compile(r"tp:stop:(?P<asked>\d{1,20})")

Interaction = discord.Interaction[Any]


class ButtonDesk(Protocol):
    """Who acts when a button is pressed; the client has one as `replies`."""

    async def on_proof(self, interaction: Interaction, receipt: str) -> None:
        """Give the link of a reply."""
        ...

    async def on_reply(self, interaction: Interaction, twin: str) -> None:
        """Open the window for another message to a twin."""
        ...

    async def on_stop(self, interaction: Interaction, asked: str) -> None:
        """End a reply that grows."""
        ...

    async def on_again(self, interaction: Interaction, receipt: str) -> None:
        """Have another reply made in place of one."""
        ...


def _desk(interaction: Interaction) -> ButtonDesk:
    return cast("ButtonDesk", interaction.client.replies)


class PlainButton(ui.DynamicItem[ui.Button[ui.View]], template=r"tp:none"):
    """A button without anything to remember.

    Attributes:
        label: what stands on it.
        name: its custom id, which is its template, too.
    """

    label: str
    name: str
    style = discord.ButtonStyle.secondary

    def __init__(self) -> None:
        super().__init__(ui.Button(label=self.label, custom_id=self.name, style=self.style))

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button again from what the platform sends."""
        del interaction, item, match
        return cls()


class ReceiptButton(ui.DynamicItem[ui.Button[ui.View]], template=r"tp:none"):
    """A button that remembers which reply it is about.

    Attributes:
        label: what stands on it.
        name: the word of its template (`about`).
    """

    label: str
    name: str

    def __init__(self, receipt: str) -> None:
        self.receipt = receipt
        super().__init__(ui.Button(label=self.label, custom_id=f"tp:{self.name}:{receipt}"))

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button again from what the platform sends."""
        del interaction, item
        return cls(match["receipt"])


def about(name: str) -> str:
    """Return the template of a `ReceiptButton`."""
    return rf"tp:{name}:(?P<receipt>[A-Za-z0-9_-]{{22}})"


class ProofButton(ReceiptButton, template=about("proof")):
    """Gives a reply's link: with its key to the fan who was answered."""

    label, name = PROOF_LABEL, "proof"

    async def callback(self, interaction: Interaction) -> None:
        """Act."""
        await _desk(interaction).on_proof(interaction, self.receipt)


class AgainButton(ReceiptButton, template=about("again")):
    """Has another reply made in place of this one."""

    label, name = AGAIN_LABEL, "again"

    async def callback(self, interaction: Interaction) -> None:
        """Act."""
        await _desk(interaction).on_again(interaction, self.receipt)


class ReplyButton(ui.DynamicItem[ui.Button[ui.View]], template=_REPLY):
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


class StopButton(ui.DynamicItem[ui.Button[ui.View]], template=_STOP):
    """Ends a reply while it grows; also marks what its message answers, for reading back."""

    def __init__(self, asked: str) -> None:
        self.asked = asked
        style = discord.ButtonStyle.danger
        super().__init__(ui.Button(label=STOP_LABEL, custom_id=f"tp:stop:{asked}", style=style))

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button again from what the platform sends."""
        del interaction, item
        return cls(match["asked"])

    async def callback(self, interaction: Interaction) -> None:
        """Act."""
        await _desk(interaction).on_stop(interaction, self.asked)


def growing_view(asked: str) -> ui.View:
    """Return the button of a part that grows."""
    return ui.View(timeout=None).add_item(StopButton(asked))


def final_view(asked: str, twin: str, receipt: str, *, private: bool) -> ui.View:
    """Return the buttons of a finished reply; in private its text has the link already."""
    view = ui.View(timeout=None)
    if private:
        return view.add_item(AgainButton(receipt))
    view.add_item(ReplyButton(asked, twin))
    view.add_item(AgainButton(receipt))
    return view.add_item(ProofButton(receipt))


def answered_by(message: discord.Message) -> str | None:
    """Return the id that a message of ours answers, by its buttons or its reference."""
    for row in message.components:
        for item in getattr(row, "children", []):
            name = getattr(item, "custom_id", None) or ""
            found = _REPLY.fullmatch(name) or _STOP.fullmatch(name)
            if found is not None:
                return found["asked"]
    if message.interaction_metadata is not None:
        return str(message.interaction_metadata.id)
    if message.reference is not None and message.reference.message_id is not None:
        return str(message.reference.message_id)
    return None
