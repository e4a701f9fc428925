"""A whole model file: its tensors' root as the specification says, and nothing believed unread."""

import hashlib
import struct
from pathlib import Path

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files import gguf_metadata
from adapters.files.gguf_file import digest_model, read_facts
from bot.domain.errors import ConfigurationError
from bot.domain.weights import TENSOR_KINDS
from tests.fakes.gguf_model import CHATML, write_model


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.gguf"
    write_model(path)
    return path


def _root(path: Path) -> str:
    return digest_model(path, read_facts(path).tensors, lambda _done: None).tensors_root.hex()


def _by_specification(path: Path) -> str:
    """Compute the root from the text of formats.md section 15.1 alone, with another reader."""
    leaves = []
    for tensor in sorted(gguf.GGUFReader(path).tensors, key=lambda one: one.name.encode()):
        name, shape = tensor.name.encode(), [int(size) for size in tensor.shape]
        leaf = b"twinproof/v1/tensor\0" + struct.pack(">I", len(name)) + name
        leaf += struct.pack(">II", int(tensor.tensor_type), len(shape))
        leaf += struct.pack(f">{len(shape)}Q", *shape)
        leaf += hashlib.sha256(tensor.data.tobytes()).digest()
        leaves.append(hashlib.sha256(b"\0" + leaf).digest())

    def tree(nodes: list[bytes]) -> bytes:
        if len(nodes) == 1:
            return nodes[0]
        split = 1 << ((len(nodes) - 1).bit_length() - 1)
        both = tree(nodes[:split]) + tree(nodes[split:])
        return hashlib.sha256(b"\1" + both).digest()

    return tree(leaves).hex()


def test_root_is_what_the_specification_says(whole: Path) -> None:
    assert _root(whole) == _by_specification(whole)


def test_facts_are_those_of_the_shape(whole: Path) -> None:
    facts = read_facts(whole)

    assert (facts.architecture, facts.quantisation, facts.context_tokens) == ("llama", "Q8_0", 1024)
    assert facts.vocabulary == 258
    assert facts.kv_bytes == 2 * 64 * 2 * 34 // 32
    reader = gguf.GGUFReader(whole)
    assert facts.parameters == sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert {t.name: t.start for t in facts.tensors} == {
        tensor.name: int(tensor.data_offset) for tensor in reader.tensors
    }


def test_hash_is_that_of_the_file(whole: Path) -> None:
    done: list[float] = []

    digests = digest_model(whole, read_facts(whole).tensors, done.append)

    assert digests.sha256 == hashlib.sha256(whole.read_bytes()).digest()
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_another_template_changes_the_hash_and_not_the_root(whole: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    changed = CHATML.replace("im_start", "im_begin"[::-1])
    other.write_bytes(whole.read_bytes().replace(CHATML.encode(), changed.encode()))

    assert other.read_bytes() != whole.read_bytes()
    assert _root(other) == _root(whole)


def test_one_changed_weight_changes_the_root(whole: Path, tmp_path: Path) -> None:
    data = bytearray(whole.read_bytes())
    data[-1] ^= 1
    other = tmp_path / "other.gguf"
    other.write_bytes(data)

    assert _root(other) != _root(whole)


def test_types_are_as_large_as_ggml_says() -> None:
    sizes = {int(kind): size for kind, size in gguf.GGML_QUANT_SIZES.items()}

    assert {n: (k.block, k.block_bytes) for n, k in TENSOR_KINDS.items()} == {
        number: sizes[number] for number in TENSOR_KINDS
    }


@given(cut=st.integers(1, 100_000))
def test_a_file_that_is_cut_off_is_refused(
    whole: Path, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "model.gguf"
    path.write_bytes(whole.read_bytes()[:-cut])

    with pytest.raises(ConfigurationError, match="not a whole GGUF file"):
        read_facts(path)


@given(data=st.data())
def test_a_changed_head_is_read_or_refused_in_one_sentence(
    whole: Path, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 9000))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("broken") / "model.gguf"
    path.write_bytes(content)

    try:
        facts = read_facts(path)
    except ConfigurationError:
        pass
    else:
        digest_model(path, facts.tensors, lambda _done: None)


def _head(*, tensors: int = 0, entries: int = 0, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, entries) + rest


def _text(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


_ARRAY_OF = struct.Struct("<IIQ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_head(entries=2**63), "too many entries"),
        (_head(tensors=2**40), "too many tensors"),
        (_head(entries=1, rest=struct.pack("<Q", 2**62)), "too long"),
        (_head(entries=1, rest=_text(b"a") + _ARRAY_OF.pack(9, 8, 2**60)), "too long"),
        (_head(entries=1, rest=_text(b"a") + _ARRAY_OF.pack(9, 9, 1000)), "too early"),
        (_head(entries=2, rest=2 * (_text(b"a") + struct.pack("<II", 4, 1))), "one thing twice"),
        (_head(tensors=1, rest=_text(b"t" * 65)), "too long"),
        (_head(tensors=1, rest=_text(b"t") + struct.pack("<I", 9)), "dimensions"),
        (_head(tensors=1, rest=_text(b"t") + struct.pack("<IQIQ", 1, 7, 99, 0)), "type 99"),
        (_head(tensors=1, rest=_text(b"t") + struct.pack("<IQIQ", 1, 33, 8, 0)), "shape"),
        (_head(tensors=1, rest=_text(b"t") + struct.pack("<IQIQ", 1, 2**62, 0, 0)), "too early"),
        (_head(tensors=1, rest=_text(b"t") + struct.pack("<IQIQ", 1, 1, 0, 7)), "over each other"),
    ],
)
def test_hostile_sizes_are_refused_at_once(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=reason):
        read_facts(path)


def _entries(*sizes: int) -> bytes:
    return b"".join(
        _text(b"k%d" % number) + struct.pack("<I", 8) + _text(bytes(size))
        for number, size in enumerate(sizes)
    )


@pytest.mark.parametrize("is_list", [False, True], ids=["entries", "one list"])
def test_metadata_is_not_read_beyond_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_list: bool
) -> None:
    monkeypatch.setattr(gguf_metadata, "MAX_METADATA_BYTES", 10_000)
    entries, rest = 20, _entries(*[1000] * 20)
    if is_list:
        entries, rest = 1, _text(b"a") + _ARRAY_OF.pack(9, 8, 20) + 20 * _text(bytes(1000))
    path = tmp_path / "large.gguf"
    path.write_bytes(_head(entries=entries, rest=rest))

    with path.open("rb") as file:
        with pytest.raises(ValueError, match="metadata is too long"):
            gguf_metadata.read_values(file)
        assert file.tell() <= 10_000


def test_texts_that_nobody_needs_are_not_kept(whole: Path) -> None:
    with whole.open("rb") as file:
        values, _, _ = gguf_metadata.read_values(file)

    texts = {name for name, value in values.items() if isinstance(value, str)}
    assert texts == {"general.architecture", "tokenizer.chat_template"}
    assert "general.name" in values


def test_a_list_in_lists_a_thousand_deep_is_refused(tmp_path: Path) -> None:
    nested = struct.pack("<IQ", 9, 1) * 20_000
    path = tmp_path / "deep.gguf"
    path.write_bytes(_head(entries=1, rest=_text(b"a") + struct.pack("<I", 9) + nested))

    with pytest.raises(ConfigurationError, match="not a whole GGUF file"):
        read_facts(path)
