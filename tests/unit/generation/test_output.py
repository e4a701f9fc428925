"""Output policy `stop-repeat/1`: what is streamed stands, and joins to the final text."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.generation.output import EMPTY_REPLY, OutputText, decode_text

WHITE = " \n\t\u2028"
LETTERS = st.sampled_from([*"abF:", *WHITE, "é", "🐙"])
STOPS = st.lists(st.text(LETTERS, min_size=1, max_size=4), max_size=3).map(tuple)


@st.composite
def _pieces(draw: st.DrawFn) -> list[bytes]:
    """Bytes cut anywhere, within characters too; sometimes no UTF-8 at all."""
    data = draw(st.text(LETTERS, max_size=24)).encode()
    if draw(st.booleans()):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=3)) + data[at:]
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _stream(pieces: Sequence[bytes], stops: tuple[str, ...]) -> tuple[list[str], OutputText]:
    """Run the engine's loop over pieces; return what was shown, step by step."""
    output, shown = OutputText(stops), []
    for piece in pieces:
        if output.append(piece):
            break
        shown.append(output.showable())
    shown.append(output.rest())
    return shown, output


@given(_pieces(), STOPS)
@example([b"a\nF", b"an:"], ("\nFan:",))
@example([b"\xf0\x9f", b"\x90\x99", b" "], ("🐙 ",))
@example([b"abab", b"c"], ("ababc", "b"))
def test_joined_pieces_are_the_final_text(pieces: list[bytes], stops: tuple[str, ...]) -> None:
    shown, output = _stream(pieces, stops)

    assert "".join(shown) == output.final()


@given(_pieces(), STOPS)
def test_nothing_shown_is_withdrawn_wherever_generation_ends(
    pieces: list[bytes], stops: tuple[str, ...]
) -> None:
    for end in range(len(pieces) + 1):
        shown, output = _stream(pieces[:end], stops)

        assert output.final().startswith("".join(shown[:-1]))


@given(_pieces(), STOPS)
def test_no_stop_string_is_ever_in_the_text(pieces: list[bytes], stops: tuple[str, ...]) -> None:
    shown, output = _stream(pieces, stops)

    text = output.final()
    assert text == EMPTY_REPLY or not any(stop in text for stop in stops)
    assert text
    assert text == text.strip()
    assert all(isinstance(piece, str) for piece in shown)


@given(_pieces())
def test_text_does_not_depend_on_how_the_bytes_are_cut(pieces: list[bytes]) -> None:
    whole = OutputText(())
    whole.append(b"".join(pieces))

    _, output = _stream(pieces, ())

    assert output.final() == whole.final()


@pytest.mark.parametrize(
    ("pieces", "stops", "shown"),
    [
        ([b"Hi", b" there"], (), ["Hi", " there", ""]),
        ([b" Hi", b" ", b"there "], (), ["Hi", "", " there", ""]),
        ([b"Hi\n", b"Fa", b"n: x"], ("\nFan:",), ["Hi", "", ""]),
        ([b"Hi\nFan", b":"], ("\nFan:",), ["Hi", ""]),
        ([b"Hi\n", b"Fa", b"r"], ("\nFan:",), ["Hi", "", "\nFar", ""]),
        ([b"\xf0\x9f", b"\x90\x99!"], (), ["", "🐙!", ""]),
        ([b"a\xff", b"b"], (), ["a", "b", ""]),
        ([b"stop"], ("stop",), [EMPTY_REPLY]),
        ([b" ", b"\n"], (), ["", "", EMPTY_REPLY]),
        ([], (), [EMPTY_REPLY]),
    ],
)
def test_text_streams_behind_what_could_be_taken_back(
    pieces: list[bytes], stops: tuple[str, ...], shown: list[str]
) -> None:
    assert _stream(pieces, stops)[0] == shown


def test_text_is_cut_before_the_earliest_stop_string() -> None:
    output = OutputText(("zz", "b c"))

    complete = output.append(b"a b c zz")

    assert complete
    assert output.final() == "a"


def test_malformed_bytes_are_dropped_and_outer_whitespace_removed() -> None:
    assert decode_text(b"\xff \xe2\x82 a\xe2\x82\xac\xed\xa0\x80 \xf0") == "a€"
