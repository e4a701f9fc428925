"""What a first set-up needs of the disk: the model's hash, tokens that are there, twins' names."""

import asyncio
from pathlib import Path

from bot.config import ModelSettings
from bot.domain.errors import ConfigurationError
from bot.wiring.engine import ROOT, Progress, check_model

EXAMPLE = ROOT / "config.example.toml"


async def hash_model(path: Path, progress: Progress) -> str:
    """Return the SHA-256 of a model that the engine may be able to run, in hex.

    Raises:
        ConfigurationError: it can't be read, is no GGUF, or has no chat template.
    """
    from adapters.files.gguf_header import read_header

    header = await asyncio.to_thread(read_header, path)
    if not header.has_template:
        raise ConfigurationError(f"The model {path} has no chat template: choose a chat model.")
    model = await check_model(ModelSettings(path=str(path)), progress)
    return model.terms.gguf.hex()


def read_token(path: Path, meaning: str) -> str:
    """Return the token in a file that only its owner can read.

    Raises:
        ConfigurationError: it can't be read, is open to others, or holds no single line.
    """
    from adapters.files.secrets import read_secret

    return read_secret(path, meaning)


def persona_slugs() -> list[str]:
    """Return the names of the sample twins, for a hint."""
    return sorted(path.stem for path in (ROOT / "personas").glob("*.toml"))
