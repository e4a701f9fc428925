"""A fan's own copies of proof bundles: files that outlive the service and its domain."""

import os
import tempfile
from pathlib import Path

from bot.ports.erasures import SavedProofs


class ProofFolder(SavedProofs):
    """A folder with one bundle a file, named by receipt id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path_of(self, receipt_id: str) -> Path:
        """Return where a receipt's bundle is kept."""
        return self._folder / f"{receipt_id}.json"

    def save(self, receipt_id: str, bundle: bytes) -> Path:
        """Write a bundle whole, or not at all; return its place."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.path_of(receipt_id)
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(bundle)
        Path(temporary).replace(path)
        return path

    def remove(self, receipt_id: str) -> bool:
        """Delete a bundle; return whether there was one."""
        try:
            self.path_of(receipt_id).unlink()
        except FileNotFoundError:
            return False
        return True
