"""What the bench of proofs counts and how; its long runs are no tests."""

import random
from dataclasses import replace

import numpy as np
import pytest

from bench import proofs_tolerant
from bench.proofs_attacks import by_length, detected_within
from bench.proofs_bundle import POLICY, SIZE, issue, make_bundle
from bench.proofs_models import adapted, noisy
from bench.proofs_replies import Reply
from bench.proofs_tolerant import LENGTHS, OTHERS, both_ways
from bot.crypto.signed_note import Checkpoint, open_note
from bot.crypto.tlog_proof import parse_proof
from bot.domain.errors import VerificationError
from bot.receipts.bundle import encode_bundle
from bot.receipts.verify import verify_bundle
from scripts.calibrate_verdicts import Seen

SAME, OFF = Seen(same=True, margin=0.0, room=2.0), Seen(same=False, margin=2.0, room=2.0)


def _reply(first: int | None, length: int = 64) -> Reply:
    seen = [SAME] * length
    if first is not None:
        seen[first] = OFF
    return Reply(7, tuple(range(length)), first is None, tuple(seen))


def test_a_reply_is_detected_from_the_length_on_that_holds_its_first_difference() -> None:
    replies = [_reply(0), _reply(8), _reply(63), _reply(None)]

    assert [detected_within(replies, n) for n in (1, 8, 9, 63, 64)] == [0.25, 0.25, 0.5, 0.5, 0.75]
    assert by_length(replies, 64) == "8:25 16:50 32:50 64:75"


def test_a_kept_reply_is_read_as_it_was_written() -> None:
    for reply in (_reply(None), _reply(3)):
        assert Reply.of(reply.line()) == reply
    assert "\n" not in _reply(3).line()


def _drawn(chance: random.Random, off: float) -> list[Seen]:
    return [OFF if chance.random() < off else SAME for _ in range(64)]


def test_verdicts_over_more_tokens_are_surer_and_honest_replies_stay_honest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proofs_tolerant, "DRAWS", 40)
    chance = random.Random(1)  # noqa: S311 - repeatable
    honest = [_drawn(chance, 0.01) for _ in range(16)]
    others = {name: [_drawn(chance, 0.3) for _ in range(16)] for name in OTHERS}

    lies = both_ways(bytes(32), honest, others, others[OTHERS[0]])
    true = both_ways(bytes(32), honest, others, honest)

    assert lies[LENGTHS[0]][1] < lies[256][1] == 1.0
    assert true[1024] == (1.0, 0.0)


def test_other_weights_differ_by_one_hundredth() -> None:
    chance = np.random.default_rng(3)
    values = chance.standard_normal((64, 256), np.float32)

    noise, lora = noisy()("blk.0.ffn_up.weight", values), adapted()("blk.0.attn_q.weight", values)

    assert noise is not None
    assert lora is not None
    for changed in (noise, lora):
        share = np.linalg.norm(changed - values) / np.linalg.norm(values)
        assert share == pytest.approx(0.01, rel=0.05)
    assert np.linalg.matrix_rank((lora - values).astype(np.float64), tol=1e-3) == 8
    assert adapted()("blk.0.ffn_up.weight", values) is None


def test_the_measured_bundle_is_a_true_one_in_a_log_of_a_million_leaves() -> None:
    made = make_bundle()

    opened = verify_bundle(encode_bundle(made.bundle), key=made.key, policy=POLICY)
    public = verify_bundle(encode_bundle(made.public), key=None, policy=POLICY)

    note = open_note(parse_proof(made.public.log.proof).checkpoint, opened.manifest.log)
    assert Checkpoint.parse(note.text).size == SIZE == 1_048_576
    assert len(note.others) == POLICY.witnesses.needed == 3
    assert opened.openings is not None
    assert public.outcome is None
    assert issue(1).receipt_hash != issue(2).receipt_hash
    spoilt = replace(made.public, log=replace(made.public.log, leaf=issue(1).leaf))
    with pytest.raises(VerificationError):
        verify_bundle(encode_bundle(spoilt), key=None, policy=POLICY)
