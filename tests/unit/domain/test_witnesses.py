"""n of m: who counts, who does not, and who is named."""

import pytest

from bot.crypto.cosignature import WitnessKey, cosign
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import Checkpoint, Note, VerifierKey, open_note, sign_note
from bot.domain.witnesses import WitnessPolicy
from scripts.vector_log import fixed_key

LOG_SEED = fixed_key("log")
LOG = VerifierKey("example.com/log", public_key_of(LOG_SEED))
TEXT = Checkpoint(LOG.name, 7, bytes(32)).encode()
SEEDS = {name: fixed_key(name) for name in ("a", "b", "c")}
KEYS = tuple(WitnessKey(f"{name}.example/w", public_key_of(seed)) for name, seed in SEEDS.items())


def _note(*names: str, time: int = 100, of: str = TEXT) -> Note:
    lines = "".join(cosign(of, f"{name}.example/w", SEEDS[name], time).line for name in names)
    return open_note(sign_note(TEXT, LOG.name, LOG_SEED) + lines, LOG)


@pytest.mark.parametrize(
    ("needed", "signed", "met"),
    [
        (0, "", True),
        (1, "", False),
        (1, "c", True),
        (2, "a", False),
        (2, "ac", True),
        (3, "abc", True),
    ],
)
def test_n_of_m(needed: int, signed: str, met: bool) -> None:  # noqa: FBT001
    found = WitnessPolicy(needed, KEYS).count(_note(*signed))

    assert found.is_met is met
    assert len(found.cosignatures) + len(found.missing) == len(KEYS)


def test_one_witness_counts_once_and_with_its_latest_word() -> None:
    twice = sign_note(TEXT, LOG.name, LOG_SEED) + "".join(
        cosign(TEXT, "a.example/w", SEEDS["a"], time).line for time in (5, 9, 7)
    )

    found = WitnessPolicy(2, KEYS).count(open_note(twice, LOG))

    assert [one.time for one in found.cosignatures] == [9]
    assert not found.is_met


def test_unknown_witnesses_are_ignored() -> None:
    found = WitnessPolicy(1, KEYS[:1]).count(_note("b", "c"))

    assert (found.is_met, found.false, found.missing) == (False, (), ("a.example/w",))


def test_a_false_line_by_a_known_witness_is_named() -> None:
    found = WitnessPolicy(1, KEYS).count(_note("b", of=TEXT.replace("\n7\n", "\n8\n")))

    assert not found.is_met
    assert found.false == ("the cosignature by b.example/w is false",)


def test_the_logs_own_key_is_no_witness() -> None:
    own = WitnessKey("other.name/w", LOG.public_key)
    note = sign_note(TEXT, LOG.name, LOG_SEED) + cosign(TEXT, own.name, LOG_SEED, 1).line

    assert not WitnessPolicy(1, (own,)).count(open_note(note, LOG)).is_met


def test_impossible_policies_are_refused() -> None:
    alias = WitnessKey("alias.example/w", KEYS[0].public_key)
    for needed, witnesses in (
        (4, KEYS),
        (-1, KEYS),
        (1, (KEYS[0], KEYS[0])),
        (1, (KEYS[0], alias)),
    ):
        with pytest.raises(FormatError):
            WitnessPolicy(needed, witnesses)


def test_all_are_needed_unless_a_number_is_given() -> None:
    vkeys = [key.encode() for key in KEYS]

    assert WitnessPolicy.parse(vkeys).needed == 3
    assert WitnessPolicy.parse(vkeys, 2) == WitnessPolicy(2, KEYS)
    with pytest.raises(FormatError):
        WitnessPolicy.parse([LOG.encode()])
