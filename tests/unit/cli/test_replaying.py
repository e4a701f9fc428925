"""Many replays at once: the table, the JSON, the exit code; and the words of a single one."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli.replay_words import describe_one, sentence_of, thresholds_words
from bot.cli.replaying import Row, conclude
from bot.domain.errors import TransientError, UserError, VerificationError
from bot.ports.inference import ReplayedToken, ReplayOutcome
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.twins.replay import assess
from bot.wiring.offline import Replayed
from tests.unit.generation.test_verdict import CALIBRATION

GOOD = Path(__file__).parents[3] / "docs" / "spec" / "vectors" / "good.json"
SAME = ReplayedToken(0, 5, 5, "a", same=True, room=5.0)
NEAR = ReplayedToken(1, 5, 6, "b", same=False, margin=0.05, room=0.05)
FAR = ReplayedToken(2, 5, 7, "c", same=False, margin=5.0, room=2.0)
HOSTILE = "https://x.example/r/\x1b[2J\u202e"


def _verified() -> VerifiedReceipt:
    vector = json.loads(GOOD.read_text(encoding="utf-8"))
    key = base64.urlsafe_b64decode(vector["key"] + "=")
    return verify_bundle(vector["bundle"].encode(), key=key, policy=None)


def _replayed(*tokens: ReplayedToken, own: bool = True) -> Replayed:
    outcome = ReplayOutcome(
        tokens, tokenisation_same=True, finish_same=True, text_same=True, engine_exact=False
    )
    finding = assess(_verified(), outcome, library="another", calibration=CALIBRATION)
    return Replayed(outcome, finding, CALIBRATION, own)


def _row(*tokens: ReplayedToken) -> Row:
    return Row("file.json", verified=_verified(), source="file.json", found=_replayed(*tokens))


def test_exact_and_consistent_replies_are_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    code = conclude([_row(SAME), _row(*[SAME] * 20, NEAR)], as_json=False)

    shown = capsys.readouterr().out
    assert code == 0
    assert "1 of 2 replies are the same, bit for bit." in shown
    assert "The others together, 1: consistent (1 of 21 tokens differs" in shown
    assert _verified().receipt_id in shown


def test_short_replies_that_decide_nothing_alone_decide_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [_row(*[SAME] * 5, NEAR) for _ in range(4)]
    assert {row.words for row in rows} == {"undecided"}

    assert conclude(rows, as_json=True) == 0

    together = json.loads(capsys.readouterr().out)["together"]
    assert (together["verdict"], together["tokens"], together["differing"]) == ("consistent", 24, 4)
    assert together["ruled_out"] == ["another prompt"]


def test_undecided_also_together_is_no_success() -> None:
    with pytest.raises(UserError, match="Undecided, also together: 2 of 4 tokens differ"):
        conclude([_row(SAME, NEAR), _row(SAME, NEAR)], as_json=False)


def test_one_other_reply_makes_all_false_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = _row(FAR, FAR, FAR)
    wrong.name = "wrong.json"

    with pytest.raises(VerificationError, match=r"step 11: not what the model gives: wrong\.json"):
        conclude([_row(SAME), wrong], as_json=False)

    assert "inconsistent" in capsys.readouterr().out


def test_far_misses_spread_over_replies_are_found_together() -> None:
    rows = [_row(SAME, FAR) for _ in range(4)]
    assert {row.words for row in rows} == {"undecided"}

    with pytest.raises(VerificationError, match="all of them together"):
        conclude(rows, as_json=False)


def test_false_proof_among_good_ones_is_false(capsys: pytest.CaptureFixture[str]) -> None:
    false = Row(HOSTILE, error=VerificationError(8, "the inclusion proof leads elsewhere"))

    with pytest.raises(VerificationError):
        conclude([_row(SAME), false], as_json=False)

    shown = capsys.readouterr().out
    assert "FALSE" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


def test_link_that_can_not_be_read_fails_the_command_and_hides_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unread = Row("https://x.example/r/abc", error=TransientError("the host does not answer"))

    with pytest.raises(UserError, match=r"1 of 2 replies .* the host does not answer"):
        conclude([_row(SAME), unread], as_json=True)

    replies = json.loads(capsys.readouterr().out)["replies"]
    assert replies[0]["replay"]["verdict"] == "exact"
    assert replies[1] == {
        "link": "https://x.example/r/abc",
        "refused": "the host does not answer",
        "false": False,
    }


def test_json_of_a_weighed_reply_states_thresholds_and_margins() -> None:
    described = describe_one(_verified(), "file.json", _replayed(*[SAME] * 20, NEAR, own=False))

    found = described["replay"]
    assert isinstance(found, dict)
    assert (found["exact"], found["verdict"], found["same"]) == (False, "consistent", 20)
    assert found["largest_margin"] == 0.05
    assert found["engine_exact"] is False
    weighed = found["weighed"]
    assert weighed["thresholds_are_this_models"] is False
    assert weighed["thresholds_of"] == CALIBRATION.model.hex()
    assert set(weighed["log_likelihood_ratios"]) == {"another prompt", "another seed"}
    json.dumps(described)


def test_words_say_whose_thresholds_were_applied_and_nothing_where_none_were() -> None:
    weighed = [SAME] * 20 + [NEAR]

    assert "of this model" in thresholds_words(_replayed(*weighed))
    assert "of another model" in thresholds_words(_replayed(*weighed, own=False))
    assert "0.1%" in thresholds_words(_replayed(*weighed))
    assert thresholds_words(_replayed(SAME)) == ""


def test_last_word_names_the_level() -> None:
    exact, consistent = _replayed(SAME), _replayed(*[SAME] * 20, NEAR)

    assert "L3-exact, replayed by you" in sentence_of(exact.finding)
    assert "L3-tolerant, replayed by you" in sentence_of(consistent.finding)
    assert replace(exact.outcome, engine_exact=True).exact
