"""Proofs by the state that they are in, and a source of proofs that are not in the log yet."""

import json
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Page

from tests.acceptance.browsing import Visit, verdict
from tests.fakes.chat import MemoryProofs


@dataclass(frozen=True, slots=True)
class State:
    """One proof.

    Attributes:
        id: of the receipt.
        file: its bundle or disclosure.
        key: opening key; None where there is none to give.
        policy: a trust policy that it meets.
    """

    id: str
    file: str
    key: str | None
    policy: dict[str, Any]

    @property
    def link(self) -> str:
        """Path of the fan's own link."""
        return f"/r/{self.id}" + (f"#k={self.key}" if self.key else "")


@dataclass(slots=True)
class PendingProofs(MemoryProofs):
    """Proofs, of which some are not in the log yet."""

    pending: set[str] = field(default_factory=set)

    async def is_pending(self, receipt_id: str) -> bool:
        """Return whether a test holds this one back."""
        return receipt_id in self.pending


async def show(visit: Visit, state: State, *, expected: str = "verified") -> Page:
    """Serve a proof, open its link, and wait for the verdict."""
    visit.proofs.bundles = {state.id: state.file.encode()}
    page = await visit.open(state.link)
    assert await verdict(page) == expected
    return page


async def trust(page: Page, policy: dict[str, Any]) -> None:
    """Give the viewer's own keys."""
    await page.get_by_label("Trust policy").fill(json.dumps(policy))
    await page.get_by_role("button", name="Check with these keys").click()
    await page.locator("#without").wait_for()
