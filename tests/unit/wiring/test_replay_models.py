"""Which model a replay takes: that of the configuration's store, and one for all that it weighs."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.files.model_store import ModelStore
from bot.cli.commands import run
from bot.domain.errors import ConfigurationError, UserError
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.wiring.engine import no_progress
from bot.wiring.offline import replay_together
from tests.unit.files.test_model_store import RECORD

GOOD = Path(__file__).parents[3] / "docs" / "spec" / "vectors" / "good.json"
VECTOR = json.loads(GOOD.read_text(encoding="utf-8"))


def _verified() -> VerifiedReceipt:
    key = base64.urlsafe_b64decode(VECTOR["key"] + "=")
    return verify_bundle(VECTOR["bundle"].encode(), key=key, policy=None)


def _on(verified: VerifiedReceipt, name: str, gguf: bytes) -> VerifiedReceipt:
    model = replace(verified.manifest.model, name=name, gguf=gguf)
    return replace(verified, manifest=replace(verified.manifest, model=model))


def _store_junk(folder: Path, gguf: bytes) -> None:
    """Put a file under a hash, as its record says, that is refused by its own path."""
    junk = folder.with_name("junk")
    junk.write_bytes(b"junk")
    store = ModelStore(folder)
    with store.locked(), store.copied(junk, "small", lambda _done: None) as staged:
        store.put(staged, replace(RECORD, sha256=gguf))


@pytest.mark.parametrize("links", [1, 2])
def test_the_store_of_the_configuration_is_looked_into(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    links: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    _store_junk(tmp_path / "elsewhere", _verified().manifest.model.gguf)
    Path("config.toml").write_text('[model]\nstore = "elsewhere"\n', encoding="utf-8")
    Path("b.json").write_text(VECTOR["bundle"], encoding="utf-8")

    code = run(["replay", "--data", "d", *[f"b.json#k={VECTOR['key']}"] * links])

    assert code == 2
    assert "elsewhere/small.gguf is not a GGUF" in capsys.readouterr().err.replace("\n", " ")


async def test_replies_of_different_models_are_refused_and_their_models_named() -> None:
    one = _verified()
    receipts = [_on(one, "small", bytes([1]) * 32), _on(one, "large\n", bytes([2]) * 32)]

    found = await replay_together(receipts, model_path=None, threads=1, progress=no_progress)

    assert len(found) == 2
    for error in found:
        assert isinstance(error, UserError)
        assert f"different models, small ({'01' * 8}…), large" in str(error)
        assert "\n" not in str(error)


async def test_a_model_that_is_given_is_taken_whatever_they_name(tmp_path: Path) -> None:
    path = tmp_path / "given.gguf"
    path.write_bytes(b"junk")
    receipts = [_on(_verified(), name, name.encode() * 32) for name in "ab"]

    with pytest.raises(ConfigurationError, match=r"given\.gguf is not a GGUF"):
        await replay_together(receipts, model_path=path, threads=1, progress=no_progress)
