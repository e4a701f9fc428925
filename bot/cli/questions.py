"""Questions at a terminal: asked until the answer is one, or answered by options beforehand."""

from collections.abc import Callable
from typing import TypeVar

import click

from bot.cli import printing
from bot.domain.errors import BotError

T = TypeVar("T")


class Questions:
    """Asks a person; without one, the defaults are the answers."""

    def __init__(self, *, interactive: bool) -> None:
        self.interactive = interactive

    def explain(self, title: str, *lines: str) -> None:
        """Say what comes next."""
        if self.interactive:
            printing.say("")
            printing.say(title, "bold")
            for line in lines:
                printing.say(f"  {line}")

    def ask(
        self,
        label: str,
        check: Callable[[str], T],
        *,
        given: str | None = None,
        default: str = "",
        hidden: bool = False,
    ) -> T:
        """Return a checked answer.

        Args:
            label: stands before the answer.
            check: returns the value, or raises an error with a sentence.
            given: from an option; then nothing is asked.
            default: for an empty answer.
            hidden: the answer is a secret, which the terminal does not show.

        Raises:
            BotError: the given answer, or the default without a person, is wrong.
        """
        if given is not None:
            return check(given)
        if not self.interactive:
            return check(default)
        while True:
            text = click.prompt(
                f"  {label}",
                default=default,
                hide_input=hidden,
                show_default=bool(default) and not hidden,
                err=True,
            )
            try:
                return check(str(text))
            except BotError as error:
                printing.say(f"  {error}", "red")
