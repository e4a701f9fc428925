"""The terminal chat over a running service."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bot.wiring.app import App

if TYPE_CHECKING:
    from adapters.console_chat.chat import ConsoleChat

SESSION_BYTES = 6


def console_chat(app: App, explain_proof: Callable[[str], Awaitable[str]]) -> "ConsoleChat":
    """Build a chat for the person at this terminal."""
    from adapters.console_chat.chat import ConsoleChat

    return ConsoleChat(
        inbox=app.inbox, session=new_session(), explain_proof=explain_proof, credit=app.credit
    )


def new_session() -> str:
    """Return what makes the message numbers of one run of a surface unique."""
    from adapters.host.system import SystemEntropy

    return SystemEntropy().random_bytes(SESSION_BYTES).hex()
