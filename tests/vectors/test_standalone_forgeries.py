"""docs/verify_receipt.py against honest proofs and forgeries that nothing of bot/ has made."""

import base64
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from docs import verify_receipt as vr
from tests.vectors.standalone_world import (
    CREATOR,
    H1,
    H2,
    KEY,
    KEY_TEXT,
    LOG,
    LOG2,
    OPERATOR,
    WITNESS2,
    World,
    address,
    b64,
    envelope,
    jcs,
    manifest,
    path,
    policy,
    public,
    vkey,
    vrf_prove,
)

Json = dict[str, Any]


def step_of(world: World, given_policy: Json | None = None, key: bytes | None = KEY) -> int:
    proof = vr.check(vr.Proof(jcs(world.bundle()), key, given_policy))
    return proof.failure.step if proof.failure else 0


def case(world: World, key: str | None = KEY_TEXT, given_policy: Json | None = None) -> Json:
    data = {"bundle": jcs(world.bundle()).decode(), "key": key, "policy": given_policy}
    return vr.answer_case(data | {"receipt_id": None})


def test_a_proof_made_from_the_specification_alone_verifies() -> None:
    witnessed = {"levels": ["L0", "L1"], "trust": "policy", "opened": True}
    alone = {"levels": ["L0", "L1-unwitnessed"], "trust": "self-consistent", "opened": False}

    assert case(World(), given_policy=policy()) == witnessed
    assert case(World(), key=None) == alone


def fixed(w: World) -> None:
    w.receipt |= {"type": "fixed", "rule": "crisis/1"}
    w.receipt["price"] = {"nano": 0, "token": "TWIN", "creator_nano": 0, "operator_nano": 0}
    w.receipt["price"]["free_daily"], w.receipt["payer"] = 3, "free"
    w.fields |= {"spans": [], "context": {"tokens": []}, "output": {"tokens": []}}
    w.fields["counts"] = {"context": 0, "output": 0}
    w.fields["choice"] = {"older": None, "start": 3}
    w.fields["message"]["parts"][0]["text"] = "I don\u2019t WANT to live"
    w.fields["reply"] = {"finish": "fixed", "rejected": 0, "text": vr.CRISIS_TEXT}


def sealed_log(w: World, kept: int = 3) -> None:
    body = {"v": "twinproof-seal/1", "log": vkey("log.example/1", LOG), "size": 9, "root": H1}
    body |= {"kept": kept, "successor": vkey("log.example/2", LOG2)}
    w.seals, w.log_key = [envelope("seal", body, LOG)], LOG2


def anchored(w: World) -> None:
    def edit(made: Json) -> None:
        proof = vr.parse_proof(made["log"]["proof"], "log.example/1")
        anchor = {"chain": 1, "contract": address(CREATOR), "epoch": 4, "size": proof.size}
        made["anchor"] = anchor | {"root": proof.root.hex(), "inclusion": [*map(b64, proof.path)]}

    w.edit_bundle = edit


def redrawn(w: World) -> None:
    w.receipt["attempt"] = w.fields["reply"]["rejected"] = 2
    w.fields["output"]["tokens"] = [13, 14]


GOOD = (fixed, sealed_log, anchored, redrawn)


@pytest.mark.parametrize("change", GOOD, ids=lambda change: change.__name__)
def test_other_honest_proofs_verify(change: Callable[[World], None]) -> None:
    world = World()
    change(world)

    assert step_of(world, policy()) == 0


def at(*names: str | int, to: object) -> Callable[[World], None]:
    """An edit of one value of what is signed."""

    def change(w: World) -> None:
        target: Any = getattr(w, str(names[0]))
        for name in names[1:-1]:
            target = target[name]
        target[names[-1]] = to

    return change


def late(edit: Callable[[Json], object]) -> Callable[[World], None]:
    return lambda w: setattr(w, "edit_bundle", edit)


def note(edit: Callable[[str], str]) -> Callable[[World], None]:
    return lambda w: setattr(w, "edit_note", edit)


def twice(note_text: str) -> str:
    return note_text + note_text.splitlines()[-1] + "\n"


def after(*changes: Callable[[World], None]) -> Callable[[World], None]:
    def change(w: World) -> None:
        for each in changes:
            each(w)

    return change


def longer_path(made: Json) -> None:
    made["log"]["proof"] = made["log"]["proof"].replace("\n\n", f"\n{b64(bytes(32))}\n\n", 1)


def false_anchor(w: World) -> None:
    anchored(w)
    honest = w.edit_bundle
    w.edit_bundle = lambda made: (honest(made), made["anchor"].update(root=H1))


def no_signature(made: Json) -> None:
    made["receipt"]["signatures"][0]["sig"] = b64(bytes(64))


def short(signed: Json, size: int = 63) -> None:
    signed["signatures"][0]["sig"] = b64(bytes(size))


def old_leaf(made: Json) -> None:
    digest = vr.sha256(vr.pae(made["receipt"]))
    leaf = base64.b64decode(made["log"]["leaf"])
    made["log"]["leaf"] = b64(leaf[:1] + digest + leaf[33:])


def gigabytes(w: World) -> None:
    """20,000 token ids after each of 4,000 pairs: 640 MB of pointers, if it were built."""
    w.manifest["rendering"]["twin_to_fan"] = [4] * 20_000
    spans = w.fields["spans"]
    w.fields["spans"] = [spans[0], *pairs_without_tokens(4000), spans[-1]]


def pairs_without_tokens(count: int) -> list[Json]:
    return [
        {"kind": kind, "receipt": f"{number:064x}", "tokens": []}
        for number in range(count)
        for kind in ("fan", "twin")
    ]


OLD_SEED = {"vrf_proof": b64(bytes(80)), "slot_tag": "0" * 32, "beacon": None}
# fmt: off
BAD = {
    "1 unknown rule": at("manifest", "rules", to=["crisis/2"]),
    "1 shares": at("manifest", "split", "creator_bp", to=8506),
    "1 small order": at("manifest", "operator", "vrf_key", to="01" + "00" * 31),
    "1 floats": late(lambda made: made.update(anchor=1.5)),
    "1 a reply with a rule": at("receipt", "rule", to="crisis/1"),
    "1 a model without bytes": at("manifest", "model", "size_bytes", to=0),
    "1 the proof in the receipt": at("receipt", "seed", to=OLD_SEED),
    "1 eleven fields": at("receipt", "fields", to={"root": H1, "count": 11}),
    "1 short signature": late(lambda made: short(made["receipt"])),
    "1 short signature of an outcome": late(lambda made: short(made["outcome"]["statement"])),
    "1 long signature of a seal": after(sealed_log, lambda w: short(w.seals[0], 65)),
    "2 signature": late(no_signature),
    "3 high s": late(lambda made: made["manifest"].update(signature="0x" + "ff" * 64 + "1b")),
    "3 another twin": at("manifest", "slug", to="mirb"),
    "4 library": at("receipt", "model", "library", to="lib 2"),
    "4 split": at("receipt", "price", "creator_nano", to=1701001),
    "4 too late": at("receipt", "time", to="2027-11-01T00:00:01Z"),
    "5 first part": at("fields", "slot", "message", to="102"),
    "5 halt of an ended reply": at("fields", "event", "halt", to="x"),
    "5 persona": at("persona", "name", to="Mora"),
    "5 seed of 79 bytes": at("fields", "seed", to={"vrf_proof": b64(bytes(79))}),
    "5 a persona span without tokens": at("fields", "spans", 0, "tokens", to=[]),
    "5 a message span without tokens": at("fields", "spans", 3, "tokens", to=[]),
    "5 older too long": at("fields", "choice", "older", "tokens", to=262145),
    "5 empty text": at("fields", "reply", "text", to=""),
    "5 public": late(lambda made: made.update(sealed=None)),
    "6 wish": at("fields", "event", to={"halt": None, "regenerate": "x", "replaces": H1}),
    "6 platform": at("fields", "slot", "platform", to="web"),
    "6 false proof": at("fields", "seed", to={"vrf_proof": b64(vrf_prove(b""))}),
    "6 a bot with a zero before it": at("fields", "slot", "bot", to="07"),
    "6 a chat with a sign": at("fields", "slot", "chat", to="-8"),
    "6 a thread in other digits": at("fields", "slot", "thread", to="\u0661"),
    "6 a chat and a line feed": at("fields", "slot", "chat", to="8\n"),
    "6 a number of 21 digits": at("fields", "slot", "bot", to="1" * 21),
    "6 tag": at("receipt", "seed", to={"slot_tag": "0" * 32, "beacon": None}),
    "7 crisis, generated": at("fields", "message", "parts", 0, "text", to="I want to die"),
    "7 window": at("manifest", "rendering", "window_tokens", to=10),
    "7 context": at("fields", "context", "tokens", 0, to=9),
    "7 not the previous turn": at("fields", "turn", "previous", to=H1),
    "7 would have fitted": at("fields", "choice", "older", "tokens", to=9),
    "7 quoted and left out": at("fields", "choice", "older", "receipt", to=H2),
    "7 counts": at("fields", "counts", "output", to=3),
    "7 repeats itself": at("fields", "output", "tokens", to=[13, 14]),
    "7 no tokens and a text": after(
        at("fields", "output", to={"tokens": []}), at("fields", "counts", "output", to=0)
    ),
    "7 a context of gigabytes": gigabytes,
    "7 stop token": at("fields", "output", "tokens", to=[20, 0]),
    "7 stop string": at("fields", "reply", "text", to="Hi Fan: x"),
    "7 length": at("fields", "reply", "finish", to="length"),
    "7 fixed text": after(fixed, at("fields", "reply", "text", to="Cheer up")),
    "7 fixed, no rule": after(fixed, at("fields", "message", "parts", 0, "text", to="hello")),
    "7 finish of a fixed answer": at("fields", "reply", "finish", to="fixed"),
    "8 another count of rejected": lambda w: setattr(w, "leaf_rejected", 1),
    "8 the leaf names the receipt": late(old_leaf),
    "8 at the seal's place": lambda w: sealed_log(w, kept=1),
    "8 two lines of a witness": note(twice),
    "8 another log": lambda w: setattr(w, "log_key", LOG2),
    "8 false cosignature": note(lambda it: it[:-6] + ("A" if it[-6] != "A" else "B") + it[-5:]),
    "8 path too long": late(longer_path),
    "8 a seal twice": after(sealed_log, lambda w: w.seals.append(w.seals[0])),
    "8 anchor": false_anchor,
    "9 another outcome": late(lambda made: made["outcome"].update(leaf=made["log"]["leaf"])),
    "9 revocation of another": at("order", "manifest", to=H1),
    "9 pause": at("order", "action", to="pause"),
    "9 order for another log": at("order", "log", to="log.example/9"),
}
# fmt: on


@pytest.mark.parametrize("name", BAD)
def test_a_forgery_fails_at_its_step(name: str) -> None:
    world = World()
    BAD[name](world)

    assert step_of(world, policy()) == int(name.split(maxsplit=1)[0])


def test_the_policy_decides_whom_to_believe() -> None:
    stranger, other = vr.checksummed("0x" + "12" * 20), vkey("w2", WITNESS2, b"\x04")
    revoked = {"manifest": vr.sha256(jcs(manifest())).hex(), "log": "log.example/1"}

    assert step_of(World(), policy(creators=[stranger])) == 10
    assert step_of(World(), policy(logs=[])) == 10
    assert step_of(World(), policy(needed=1, witnesses=[other])) == 10
    assert step_of(World(), policy(revoked=[revoked | {"size": 1}])) == 10
    assert step_of(World(), policy(revoked=[revoked | {"size": 2}])) == 0
    assert case(World(), given_policy=policy(needed=2)) == {"step": 10}


def test_a_policy_names_keys_and_addresses_in_their_one_form() -> None:
    identity, lower = "01" + "00" * 31, address(CREATOR).lower()
    auditor = public(OPERATOR).hex()

    assert step_of_case(policy(auditors=[auditor])) is None
    assert step_of_case(policy(auditors=[identity])) == 10
    assert step_of_case(policy(auditors=["ff" * 32])) == 10
    assert step_of_case(policy(creators=[lower])) == 10
    assert step_of_case(policy(anchors=[{"chain": 1, "contract": lower}])) == 10


def step_of_case(given_policy: Json) -> int | None:
    return case(World(), given_policy=given_policy).get("step")


def test_without_the_key_the_leaf_may_count_any_rejected_attempts_there_can_be() -> None:
    four, five = World(), World()
    four.leaf_rejected, five.leaf_rejected = 4, 5

    assert step_of(four, key=None) == 0
    assert step_of(five, key=None) == 8


def test_slots_are_spelled_as_their_platforms_do() -> None:
    def place(platform: str, numbering: str, **parts: str) -> int:
        world = World()
        world.fields["slot"] |= {"platform": platform, **parts}
        world.receipt["numbering"] = numbering
        return step_of(world)

    assert place("discord", "platform", thread="9" * 20) == 0
    assert place("telegram", "platform", chat="-100123") == 0
    assert place("telegram", "platform", bot="-7") == 6
    assert place("telegram", "platform", chat="--8") == 6
    assert place("web", "operator", bot="local", chat="\u6771\n", thread="t") == 0
    assert place("terminal", "operator", bot="Local") == 6


def test_a_rule_is_looked_for_in_linear_time() -> None:
    message = "suicide squad " * 4000 * 16
    begun = time.process_time()

    assert vr.first_rule(["crisis/1"], message) is None
    assert vr.first_rule(["crisis/1"], message + "suicide") == "crisis/1"
    assert time.process_time() - begun < 5  # every exception against every phrase: 4 * 10^9


def test_every_claim_that_is_not_proved_is_listed() -> None:
    listed = " ".join(vr.not_proved(vr.verify(jcs(World().bundle()), KEY)))

    for words in (
        "did not try versions",
        "chat, thread and number are the platform's",
        "that this is the turn it says it is",
        "nothing followed its outcome, that this file leaves out",
    ):
        assert words in listed


def disclosure(world: World, *names: str) -> bytes:
    bundle, order = world.bundle(), list(vr.FIELDS)
    leaves = [world.leaf(name) for name in order]
    parts = [{"name": name, "salt": b64(world.salt(name)), "value": world.fields[name],
              "path": [*map(b64, path(leaves, order.index(name)))]} for name in names]  # fmt: skip
    bundle["sealed"] = None
    head = {"v": "twinproof-disclosure/1", "bundle": bundle}
    return jcs(head | {"persona": world.persona, "fields": parts})


def test_chosen_fields_verify_without_the_key_and_changed_ones_do_not() -> None:
    proof = vr.verify(disclosure(World(), "message", "reply"))

    assert proof.fields["reply"]["text"] == "Hi \x1b[2J!"
    assert any("beyond these parts" in sentence for sentence in vr.not_proved(proof))
    with pytest.raises(vr.VerificationError) as wrong:
        vr.verify(disclosure(World(), "reply").replace(b"[2J!", b"[2J?"))
    assert wrong.value.step == 5
    for form in (b'"path":null', b'"path":[""]', b'"path":["AAAA"]'):
        with pytest.raises(vr.VerificationError) as formless:
            vr.verify(re.sub(rb'"path":\[[^]]*\]', form, disclosure(World(), "reply")))
        assert formless.value.step == 5
    with pytest.raises(vr.VerificationError) as disordered:
        vr.verify(disclosure(World(), "reply", "message"))
    assert disordered.value.step == 1
