"""The compiled contracts that are shipped beside their sources."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "contracts"


@dataclass(frozen=True, slots=True)
class Artefact:
    """One compiled contract.

    Attributes:
        bytecode: creation code, without constructor arguments.
        runtime: the code on the chain starts with it; Vyper appends the immutables.
    """

    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    runtime: bytes


@cache
def load_artefact(name: str) -> Artefact:
    """Load `settlement`, `registry` or `token` from its JSON file."""
    content = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return Artefact(
        abi=tuple(content["abi"]),
        bytecode=bytes.fromhex(content["bytecode"].removeprefix("0x")),
        runtime=bytes.fromhex(content["runtime"].removeprefix("0x")),
    )
