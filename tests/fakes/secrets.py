"""Secrets in memory."""

from dataclasses import dataclass, field

from bot.ports.secrets import SecretStore


@dataclass(slots=True)
class MemorySecrets(SecretStore):
    """Keeps secrets as they are."""

    kept: dict[str, str] = field(default_factory=dict)

    async def put(self, name: str, secret: str) -> None:
        """Keep a secret under a name."""
        self.kept[name] = secret

    async def find(self, name: str) -> str | None:
        """Return a secret."""
        return self.kept.get(name)

    async def names(self, prefix: str) -> list[str]:
        """Return the names that begin with a prefix."""
        return sorted(name for name in self.kept if name.startswith(prefix))

    async def remove(self, name: str) -> None:
        """Forget a secret."""
        self.kept.pop(name, None)
