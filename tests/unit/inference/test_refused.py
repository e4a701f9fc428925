"""An output that may still be rejected is shown to nobody; one that can't be any more is, whole."""

import pytest

from bot.generation.sampling import SamplerPolicy
from bot.inference.request import ReplyWork
from bot.ports.inference import ANYONE, Generated, GenerationRequest, TextDelta

END = 0
SAMPLER = SamplerPolicy(temperature=1.0, top_k=4, top_p=1.0, max_tokens=6)


def _piece(token: int) -> bytes:
    return bytes([token])


def _work(*refused: bytes, stop: str = "|") -> ReplyWork:
    outputs = tuple(tuple(output) for output in refused)
    request = GenerationRequest((1, 2), 0, bytes(32), SAMPLER, (END,), (stop,), outputs)
    return ReplyWork(1, request, ANYONE, _piece)


def _take(work: ReplyWork, text: str) -> list[str]:
    """Give tokens one by one; return what was shown after each."""
    deltas = [work.take(token) for token in text.encode()]
    return ["" if delta is None else delta.text for delta in deltas]


def _end(work: ReplyWork) -> tuple[str, Generated]:
    *deltas, made = work.end()
    assert isinstance(made, Generated)
    texts = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    assert len(texts) == len(deltas)
    return "".join(texts), made


def test_nothing_is_shown_while_it_is_the_same_and_all_of_it_when_it_parts() -> None:
    work = _work(b"abc", b"abz")

    assert _take(work, "abx") == ["", "", "abx"]
    assert _take(work, "y") == ["y"]
    work.finish = "end"
    assert _end(work) == ("", Generated(tuple(b"abxy"), "abxy", "end"))


def test_longer_output_than_the_refused_one_is_shown() -> None:
    assert _take(_work(b"ab"), "abc") == ["", "", "abc"]


def test_refused_output_is_never_shown() -> None:
    work = _work(b"ab")

    assert _take(work, "ab") == ["", ""]
    assert work.take(END) is None
    assert _end(work) == ("", Generated(tuple(b"ab"), "ab", "end"))


@pytest.mark.parametrize("text", ["abcdef", "ab|"])
def test_refused_output_that_ends_by_itself_is_never_shown(text: str) -> None:
    work = _work(text.encode())

    assert set(_take(work, text)) == {""}
    assert work.finish == ("length" if text == "abcdef" else "stop")
    assert _end(work)[0] == ""


def test_beginning_of_a_refused_output_is_shown_where_the_model_ends_there() -> None:
    work = _work(b"abc")
    _take(work, "ab")
    work.take(END)

    assert _end(work) == ("ab", Generated(tuple(b"ab"), "ab", "end"))


def test_halted_output_is_shown_though_it_is_the_same_so_far() -> None:
    work = _work(b"ab")
    _take(work, "ab")

    assert _end(work) == ("ab", Generated(tuple(b"ab"), "ab", "halted"))


def test_where_nothing_is_refused_text_is_shown_at_once() -> None:
    assert _take(_work(), "abc") == ["a", "b", "c"]
