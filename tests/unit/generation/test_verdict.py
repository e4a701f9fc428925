"""Verdicts over weighed tokens, and the file of thresholds."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.crypto.errors import FormatError
from bot.generation.calibration import encode_calibration, parse_calibration
from bot.generation.verdict import (
    MOST_OF_A_TOKEN,
    Calibration,
    Evidence,
    Measured,
    Other,
    Verdict,
    decide,
    excluded,
    suspected,
    weigh,
)

SHIPPED = Path(__file__).parents[3] / "personas" / "starter" / "starter-q8_0.verdicts.json"


@dataclass(frozen=True, slots=True)
class Token:
    same: bool
    margin: float = 0.0
    room: float = 5.0


SAME, NEAR, FAR = (
    Token(same=True),
    Token(same=False, margin=0.05, room=0.05),
    Token(same=False, margin=5.0, room=2.0),
)
CALIBRATION = Calibration(
    model=bytes(range(32)),
    noise="made up for a test",
    false_alarm=0.001,
    miss=0.02,
    rooms=(0.1, 1.0),
    margins=(0.1, 1.0),
    honest=((50, 50, 0, 0), (200, 0, 1, 0), (700, 0, 0, 0)),
    others=(
        Other(
            "another prompt",
            needed=True,
            counts=((10, 20, 20, 50), (100, 0, 50, 50), (400, 0, 0, 300)),
        ),
        Other(
            "another seed",
            needed=False,
            counts=((40, 30, 20, 10), (180, 0, 10, 10), (690, 0, 0, 10)),
        ),
    ),
    measured=(Measured("an honest reply", 10, 9, 1, 0),),
)
TOKENS = st.lists(
    st.builds(Token, st.booleans(), st.floats(0, 2000), st.floats(0, 2000)), max_size=40
)


def _verdict(*tokens: Token) -> Verdict:
    return decide(weigh(tokens, CALIBRATION), CALIBRATION)


def test_many_same_tokens_are_consistent_and_few_are_undecided() -> None:
    assert _verdict(*[SAME] * 12) is Verdict.CONSISTENT
    assert _verdict(*[SAME] * 3) is Verdict.UNDECIDED
    assert _verdict() is Verdict.UNDECIDED


def test_near_misses_among_many_are_consistent() -> None:
    assert _verdict(*[SAME] * 20, NEAR, NEAR) is Verdict.CONSISTENT


def test_far_misses_are_inconsistent_but_never_one_alone() -> None:
    assert _verdict(FAR) is Verdict.UNDECIDED
    assert _verdict(FAR, FAR) is Verdict.INCONSISTENT
    assert _verdict(*[SAME] * 5, FAR, FAR, FAR) is Verdict.INCONSISTENT


def test_weights_of_replies_add_up() -> None:
    one, two = weigh([SAME] * 3 + [NEAR], CALIBRATION), weigh([SAME] * 9, CALIBRATION)

    both = one + two

    assert (both.tokens, both.differing) == (13, 1)
    whole = weigh([SAME] * 3 + [NEAR] + [SAME] * 9, CALIBRATION)
    assert both.sums == pytest.approx(whole.sums)
    assert decide(one, CALIBRATION) is Verdict.UNDECIDED
    assert decide(both, CALIBRATION) is Verdict.CONSISTENT


def test_names_say_what_is_ruled_out_and_what_is_suspected() -> None:
    good, bad = weigh([SAME] * 12, CALIBRATION), weigh([FAR, FAR], CALIBRATION)

    assert excluded(good, CALIBRATION) == ("another prompt",)
    assert excluded(weigh([SAME] * 4000, CALIBRATION), CALIBRATION) == (
        *("another prompt", "another seed"),
    )
    assert suspected(bad, CALIBRATION) == "another prompt"


@given(TOKENS)
def test_weight_is_the_logarithm_of_the_ratio_of_the_counted_shares(tokens: list[Token]) -> None:
    evidence = weigh(tokens, CALIBRATION)

    expected = [0.0, 0.0]
    for token in tokens:
        row = (token.room > 0.1) + (token.room > 1)
        column = 0 if token.same else 1 + (token.margin > 0.1) + (token.margin > 1)
        for number, other in enumerate(CALIBRATION.others):
            shares = [
                (table[row][column] + 0.5) / (sum(table[row]) + 2)
                for table in (other.counts, CALIBRATION.honest)
            ]
            weight = math.log(shares[0] / shares[1])
            expected[number] += max(-MOST_OF_A_TOKEN, min(MOST_OF_A_TOKEN, weight))
    assert evidence.sums == pytest.approx(expected)
    assert evidence.tokens == len(tokens)


@pytest.mark.parametrize(
    ("sums", "verdict"),
    [
        ((math.log(2 / 0.001), 0.0), Verdict.INCONSISTENT),
        ((math.log(2 / 0.001) - 0.001, 0.0), Verdict.UNDECIDED),
        ((-9.0, math.log(2 / 0.001)), Verdict.INCONSISTENT),
        ((math.log(0.02), 5.0), Verdict.CONSISTENT),
        ((math.log(0.02) + 0.001, -9.0), Verdict.UNDECIDED),
    ],
)
def test_limits_are_those_of_the_specification(sums: tuple[float, float], verdict: Verdict) -> None:
    assert decide(Evidence(5, 1, sums), CALIBRATION) is verdict


def test_file_is_read_as_it_is_written() -> None:
    assert parse_calibration(encode_calibration(CALIBRATION)) == CALIBRATION


def test_shipped_file_is_of_the_shipped_model_and_states_what_it_was_seen_to_do() -> None:
    shipped = parse_calibration(SHIPPED.read_text(encoding="utf-8"))
    rates = {one.what: one for one in shipped.measured}

    digest = SHIPPED.with_name("starter.sha256").read_text(encoding="ascii").split()[0]
    assert shipped.model.hex() == digest, "run python -m scripts.calibrate_verdicts again"
    honest = rates["an honest reply"]
    assert honest.inconsistent <= 0.01 * honest.replies
    assert honest.consistent >= 0.8 * honest.replies
    for other in shipped.others:
        assert rates[other.name].consistent < rates[other.name].replies
        together = rates[f"{other.name}, 8 replies together"]
        assert together.inconsistent >= 0.8 * together.replies


VALUE = json.loads(encode_calibration(CALIBRATION))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"v": "twinproof-verdicts/2"}, "thresholds.v"),
        ({"extra": 1}, "unknown key"),
        ({"model": "00"}, "thresholds.model"),
        ({"noise": "two\nlines"}, "thresholds.noise"),
        ({"miss": "0"}, "thresholds.miss"),
        ({"miss": "1"}, "thresholds.miss"),
        ({"false_alarm": 0.1}, "thresholds.false_alarm"),
        ({"room": ["1.0", "0.1"]}, "do not rise"),
        ({"room": []}, "do not rise"),
        ({"room": [1, 2]}, "thresholds.room"),
        ({"margin": ["0.1"]}, "counts a row"),
        ({"honest": [[1]]}, "rows"),
        ({"honest": [[1, 1, 1, -1]] * 3}, "thresholds.honest"),
        ({"honest": [[1, 1, 1, 0.5]] * 3}, "thresholds.honest"),
        ({"others": []}, "ruled out"),
        ({"others": [{**VALUE["others"][0], "needed": 1}]}, "needed"),
        ({"others": [{**VALUE["others"][0], "counts": []}]}, "rows"),
        ({"others": [VALUE["others"][1]]}, "ruled out"),
        ({"measured": [{}]}, "missing key"),
    ],
)
def test_other_files_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parse_calibration(json.dumps({**VALUE, **change}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_calibration(text)


@given(TOKENS, TOKENS)
def test_order_of_tokens_is_no_matter(one: list[Token], two: list[Token]) -> None:
    calibration = replace(CALIBRATION, miss=0.5)

    assert weigh(one + two, calibration).sums == pytest.approx(weigh(two + one, calibration).sums)
