import pytest

from scripts.compile_contracts import CONTRACTS, compile_artefact


@pytest.mark.slow
@pytest.mark.parametrize("name", ["registry", "settlement", "token"])
def test_the_shipped_artefact_is_what_the_compiler_makes_of_the_source(name: str) -> None:
    shipped = (CONTRACTS / f"{name}.json").read_text(encoding="utf-8")

    assert compile_artefact(CONTRACTS / f"{name}.vy") == shipped
