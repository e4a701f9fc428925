"""Compile the contracts in adapters/evm/contracts to the artefacts that are shipped beside them.

An artefact holds ABI, creation code and run-time code with the compiler's version and the SHA-256
of the source. `--check` compares instead of writing. Vyper is needed here and nowhere at run time.
"""

import hashlib
import json
import sys
from pathlib import Path

import vyper

CONTRACTS = Path(__file__).resolve().parent.parent / "adapters" / "evm" / "contracts"


def compile_artefact(source_path: Path) -> str:
    """Return the artefact of one contract as the text of its JSON file."""
    source = source_path.read_text(encoding="utf-8")
    compiled = vyper.compile_code(
        source,
        contract_path=source_path.name,
        output_formats=["abi", "bytecode", "bytecode_runtime"],
    )
    artefact = {
        "name": source_path.stem,
        "compiler": f"vyper {vyper.__version__}",
        "source_sha256": hashlib.sha256(source.encode()).hexdigest(),
        "abi": compiled["abi"],
        "bytecode": compiled["bytecode"],
        "runtime": compiled["bytecode_runtime"],
    }
    return json.dumps(artefact, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write every artefact, or with `--check` report those that differ from their source."""
    stale = 0
    for source_path in sorted(CONTRACTS.glob("*.vy")):
        target = source_path.with_suffix(".json")
        text = compile_artefact(source_path)
        if "--check" not in arguments:
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            print(f"{target.name} does not match {source_path.name}: run this script")
            stale += 1
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
