"""Saved states in memory, with a budget and a way to lose or spoil them."""

from dataclasses import dataclass, field

from bot.domain.errors import InvariantError
from bot.ports.runner import StateStore

Tokens = tuple[int, ...]


@dataclass(slots=True)
class MemoryStates(StateStore):
    """Keeps states in dictionaries.

    Attributes:
        prefixes: by their token ids.
        conversations: by name, with their token ids.
        loses: whether everything that is asked for turns out to be damaged.
    """

    prefixes: dict[Tokens, bytes] = field(default_factory=dict)
    conversations: dict[str, tuple[Tokens, bytes]] = field(default_factory=dict)
    loses: bool = False

    def put_prefix(self, tokens: Tokens, state: bytes) -> None:
        """Keep a prefix."""
        if not tokens:
            raise InvariantError("the port: a prefix has tokens")
        self.prefixes[tokens] = state

    def get_prefix(self, tokens: Tokens) -> bytes | None:
        """Return a prefix's state."""
        return None if self.loses else self.prefixes.get(tokens)

    def has_prefix(self, tokens: Tokens) -> bool:
        """Return whether there is one."""
        return tokens in self.prefixes

    def put_conversation(self, conversation: str, tokens: Tokens, state: bytes) -> None:
        """Keep a conversation."""
        if not conversation or not tokens:
            raise InvariantError("the port: a conversation has a name and tokens")
        self.conversations[conversation] = (tokens, state)

    def tokens_of(self, conversation: str) -> Tokens:
        """Return the conversation's tokens."""
        return self.conversations.get(conversation, ((), b""))[0]

    def get_conversation(self, conversation: str) -> bytes | None:
        """Return the conversation's state."""
        return None if self.loses else self.conversations[conversation][1]

    def forget(self, conversation: str) -> None:
        """Drop a conversation."""
        self.conversations.pop(conversation, None)
