"""What one file of docs/spec/vectors holds."""

import json
from dataclasses import dataclass, field

from bot.crypto.encoding import encode_b64url
from scripts.vector_parts import OPENING_KEY, POLICY, Parts

UNWITNESSED, WITNESSED = ["L0", "L1-unwitnessed"], ["L0", "L1"]


@dataclass(frozen=True, slots=True)
class Vector:
    """One file: a bundle, what the verifier holds, and what it must find."""

    name: str
    about: str
    bundle: bytes
    expect: Parts
    key: bytes | None = OPENING_KEY
    policy: Parts | None = field(default_factory=lambda: POLICY)

    def encode(self) -> str:
        """Write the file's text."""
        content = {
            "name": self.name,
            "about": self.about,
            "bundle": self.bundle.decode(),
            "key": None if self.key is None else encode_b64url(self.key),
            "policy": self.policy,
            "expect": self.expect,
        }
        return json.dumps(content, indent=1, ensure_ascii=True) + "\n"


def expected(policy: Parts | None, *, levels: list[str] | None = None) -> Parts:
    """Return what a verifier with the key finds of a good bundle."""
    trust = "self-consistent" if policy is None else "policy"
    return {"levels": levels or UNWITNESSED, "trust": trust, "opened": True}
