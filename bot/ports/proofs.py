"""What a public surface serves to outsiders: bundles and the log's checkpoint."""

from typing import Protocol


class ProofSource(Protocol):
    """Reads what anybody may have; never an opening key."""

    async def bundle(self, receipt_id: str) -> bytes | None:
        """Return the bundle (docs/spec/formats.md section 9) of a receipt.

        None when there is no such receipt, it was erased, or no checkpoint covers it yet.
        """
        ...

    async def is_pending(self, receipt_id: str) -> bool:
        """Return whether a receipt without a bundle will have one: a checkpoint is all it lacks."""
        del receipt_id
        return False

    async def checkpoint(self) -> str | None:
        """Return the newest signed checkpoint; None before the first one."""
        ...
