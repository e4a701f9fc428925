"""What a replay shows: exact, consistent, inconsistent or undecided, and why."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.generation.verdict import Verdict
from bot.ports.inference import ReplayedToken, ReplayOutcome
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.twins.replay import assess
from tests.unit.generation.test_verdict import CALIBRATION

GOOD = Path(__file__).parents[3] / "docs" / "spec" / "vectors" / "good.json"
LIBRARY = "fake 1"
SAME = ReplayedToken(0, 5, 5, "a", same=True, room=5.0)
NEAR = ReplayedToken(1, 5, 6, "b", same=False, margin=0.05, room=0.05)
FAR = ReplayedToken(2, 5, 7, "c", same=False, margin=5.0, room=2.0)
OUTCOME = ReplayOutcome((SAME,) * 20, True, True, True)  # noqa: FBT003 - all the same


def _claimed(verdict: str) -> VerifiedReceipt:
    """Return a reply whose receipt says how exact its engine was."""
    vector = json.loads(GOOD.read_text(encoding="utf-8"))
    key = base64.urlsafe_b64decode(vector["key"] + "=")
    verified = verify_bundle(vector["bundle"].encode(), key=key, policy=None)
    model = replace(verified.receipt.model, verdict=verdict, library=LIBRARY)
    return replace(verified, receipt=replace(verified.receipt, model=model))


def _outcome(*tokens: ReplayedToken, engine_exact: bool = True) -> ReplayOutcome:
    return replace(OUTCOME, tokens=OUTCOME.tokens + tokens, engine_exact=engine_exact)


@pytest.mark.parametrize("engine_exact", [True, False])
@pytest.mark.parametrize("claimed", ["exact", "tolerant"])
def test_same_bits_are_exact_whatever_the_machines_promise(
    claimed: str,
    engine_exact: bool,  # noqa: FBT001 - a parameter
) -> None:
    verified = _claimed(claimed)

    found = assess(
        verified, _outcome(engine_exact=engine_exact), library="x", calibration=CALIBRATION
    )

    assert (found.verdict, found.evidence) == (Verdict.EXACT, None)


def test_between_exact_machines_one_near_miss_is_too_much() -> None:
    verified = _claimed("exact")

    found = assess(verified, _outcome(NEAR), library=LIBRARY, calibration=CALIBRATION)

    assert found.verdict is Verdict.INCONSISTENT
    assert "token 1 is 6, the receipt says 5" in found.reason


@pytest.mark.parametrize(
    ("claimed", "engine_exact", "library"),
    [("tolerant", True, LIBRARY), ("exact", False, LIBRARY), ("exact", True, "fake 2")],
)
def test_otherwise_near_misses_are_weighed(
    claimed: str,
    engine_exact: bool,  # noqa: FBT001 - a parameter
    library: str,
) -> None:
    verified = _claimed(claimed)

    verdicts = [
        assess(
            verified,
            replace(_outcome(*tokens), engine_exact=engine_exact),
            library=library,
            calibration=CALIBRATION,
        )
        for tokens in ([NEAR], [FAR, FAR, FAR])
    ]

    assert [found.verdict for found in verdicts] == [Verdict.CONSISTENT, Verdict.INCONSISTENT]
    assert "1 of 21 tokens differs" in verdicts[0].reason
    assert "ruled out: another prompt" in verdicts[0].reason
    assert "another seed explains it better" in verdicts[1].reason


def test_too_few_tokens_are_undecided_and_say_of_what() -> None:
    verified = _claimed("tolerant")
    outcome = replace(OUTCOME, tokens=(SAME, NEAR))

    found = assess(verified, outcome, library=LIBRARY, calibration=CALIBRATION)

    assert found.verdict is Verdict.UNDECIDED
    assert "do not rule out another prompt" in found.reason


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tokenisation_same": False}, "persona or message have other tokens"),
        ({"finish_same": False}, "finish or text differ"),
        ({"text_same": False}, "finish or text differ"),
    ],
)
def test_what_hangs_on_no_arithmetic_is_not_weighed(wrong: dict[str, bool], words: str) -> None:
    verified = _claimed("tolerant")
    outcome = replace(_outcome(NEAR, engine_exact=False), **wrong)  # type: ignore[arg-type]

    found = assess(verified, outcome, library=LIBRARY, calibration=CALIBRATION)

    assert found.verdict is Verdict.INCONSISTENT
    assert found.reason == words
