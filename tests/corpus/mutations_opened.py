"""Falsehoods of steps 5 to 7: openings, seed and context."""

import random
from typing import Any

from tests.corpus.mutations import (
    Strike,
    field,
    flip_byte,
    flip_hex,
    has_pairs,
    is_fixed,
    is_open,
    is_reply,
    mutation,
    planned,
)
from tests.corpus.plans import Plan, context_of, key_of

Json = Any


@mutation(5, "case", is_open)
def _another_key(case: Any, rng: random.Random) -> Any:  # noqa: ANN401
    return type(case)(case.bundle, flip_byte(case.key, rng), case.policy)


@mutation(5, "sealed", is_open)
def _a_sealed_part_with_one_bit_changed(sealed: bytes, rng: random.Random) -> bytes:
    return flip_byte(sealed, rng)


@mutation(5, "sealed", is_open)
def _a_sealed_part_cut_off(sealed: bytes, rng: random.Random) -> bytes:
    return sealed[: rng.randrange(len(sealed))]


@mutation(5, "sealed", is_open)
def _a_public_bundle_and_a_key(_sealed: bytes, _rng: random.Random) -> None:
    return None


@mutation(5, "openings", is_open)
def _openings_of_another_version(openings: Json, _rng: random.Random) -> Json:
    return openings | {"v": "twinproof-openings/1"}


@mutation(5, "openings", is_open)
def _a_salt_that_the_key_does_not_give(openings: Json, rng: random.Random) -> Json:
    one, other = rng.sample(openings["fields"], 2)
    one["salt"] = other["salt"]
    return openings


@mutation(5, "openings", is_open)
def _a_field_left_out(openings: Json, rng: random.Random) -> Json:
    del openings["fields"][rng.randrange(12)]
    return openings


@mutation(5, "openings", is_open)
def _a_field_twice(openings: Json, rng: random.Random) -> Json:
    openings["fields"].append(rng.choice(openings["fields"]))
    return openings


@mutation(5, "openings", is_open)
def _fields_in_another_order(openings: Json, rng: random.Random) -> Json:
    at = rng.randrange(11)
    fields = openings["fields"]
    fields[at], fields[at + 1] = fields[at + 1], fields[at]
    return openings


@mutation(5, "openings", is_open)
def _another_text_than_was_committed_to(openings: Json, rng: random.Random) -> Json:
    opened = {one["name"]: one["value"] for one in openings["fields"]}
    if rng.random() < 0.5:
        opened["reply"]["text"] += "!"
    else:
        opened["message"]["parts"][0]["text"] += "?"
    return openings


@mutation(5, "openings", is_open)
def _another_conversation_than_was_committed_to(openings: Json, rng: random.Random) -> Json:
    value = openings["fields"][1]["value"]
    value["id"] = flip_hex(value["id"], rng)
    return openings


@mutation(5, "openings", is_open)
def _another_persona(openings: Json, rng: random.Random) -> Json:
    openings["persona"]["facts"].append(rng.choice(["I love you.", "Buy my coin."]))
    return openings


def malformed(name: str, fields: str, change: str) -> None:
    """Add a field that is committed to and has not the form of section 7.1."""

    def strike(value: Json, rng: random.Random) -> Json:
        _FORMS[change](field(value, fields)[1], rng)
        return value

    strike.__name__ = name
    mutation(5, "fields", is_open)(strike)


_FORMS: dict[str, Strike] = {
    "extra": lambda value, _rng: value.update(extra=None),
    "missing": lambda value, rng: value.pop(rng.choice(sorted(value))),
    "negative": lambda value, _rng: value.update(tokens=[-1]),
    "huge": lambda value, _rng: value.update(tokens=[2**31]),
    "word": lambda value, _rng: value.update(finish="done"),
    "empty": lambda value, _rng: value.update(text=""),
    "zero": lambda value, _rng: value.update(n=0),
    "part": lambda value, _rng: value["parts"].append(dict(value["parts"][0])),
    "parts": lambda value, _rng: value.update(parts=[]),
    "first": lambda value, _rng: value["parts"][0].update(id="another"),
    "halt": lambda value, _rng: value.update(halt="x" * 201),
    "half": lambda value, _rng: value.update(
        replaces=None if value["replaces"] else "00" * 32,
    ),
    "start": lambda value, _rng: value.update(start=0),
    "older": lambda value, _rng: value.update(older={"receipt": "00" * 32, "tokens": 0}),
    "count": lambda value, _rng: value.update(context=-1),
    "rejected": lambda value, _rng: value.update(rejected=5),
}
for _name, _field, _form in (
    ("an_unknown_member_in_a_field", "conversation", "extra"),
    ("a_member_missing_in_a_field", "slot", "missing"),
    ("a_negative_token", "context", "negative"),
    ("a_token_beyond_all_vocabularies", "output", "huge"),
    ("a_finish_that_is_none", "reply", "word"),
    ("a_reply_without_text", "reply", "empty"),
    ("a_turn_before_the_first", "turn", "zero"),
    ("a_message_part_twice", "message", "part"),
    ("a_message_without_parts", "message", "parts"),
    ("a_slot_of_another_message", "message", "first"),
    ("an_event_with_too_long_an_id", "event", "halt"),
    ("half_a_wish_for_another_reply", "event", "half"),
    ("a_chain_that_starts_before_the_first_turn", "choice", "start"),
    ("a_turn_without_tokens_that_did_not_fit", "choice", "older"),
    ("a_negative_count", "counts", "count"),
    ("more_rejected_attempts_than_there_can_be", "reply", "rejected"),
):
    malformed(_name, _field, _form)


@mutation(5, "fields", is_open)
def _a_first_turn_with_a_turn_before(fields: Json, _rng: random.Random) -> Json:
    value = field(fields, "turn")[1]
    value["previous"] = None if value["previous"] else "11" * 32
    return fields


def _not_halted(plan: Plan) -> bool:
    return is_reply(plan) and plan.fields["event"]["halt"] is None


@mutation(5, "fields", _not_halted)
def _a_halt_of_a_reply_that_ended(fields: Json, _rng: random.Random) -> Json:
    field(fields, "event")[1]["halt"] = "press-1"
    return fields


@mutation(6, "slot", is_open)
def _a_seed_of_another_message(slot: Json, rng: random.Random) -> Json:
    name = rng.choice(["bot", "chat", "thread", "message"])
    return slot | {name: slot[name] + "1"}


@mutation(6, "vrf_seed", is_open)
def _a_seed_by_another_key(_seed: bytes, rng: random.Random) -> bytes:
    return key_of(f"another vrf {rng.randrange(4)}")


@mutation(6, "receipt", is_open)
def _a_slot_tag_of_another_message(receipt: Json, rng: random.Random) -> Json:
    receipt["seed"]["slot_tag"] = flip_hex(receipt["seed"]["slot_tag"], rng)
    return receipt


@mutation(6, "receipt", is_open)
def _a_false_word_about_who_numbers(receipt: Json, _rng: random.Random) -> Json:
    other = {"operator": "platform", "platform": "operator"}
    return receipt | {"numbering": other[receipt["numbering"]]}


@planned(6, is_open)
def _a_platform_that_is_none(plan: Plan, rng: random.Random) -> None:
    plan.fields["slot"]["platform"] = rng.choice(["irc", "Discord", "", "signal"])


@mutation(6, "receipt", is_reply)
def _an_attempt_that_nobody_asked_for(receipt: Json, rng: random.Random) -> Json:
    # One that was asked for becomes one that was not, and the other way round.
    return receipt | {"attempt": 0 if receipt["attempt"] else rng.randint(1, 9)}


def _not_asked(plan: Plan) -> bool:
    return is_reply(plan) and plan.fields["event"]["regenerate"] is None


@mutation(6, "fields", _not_asked)
def _a_wish_without_another_attempt(fields: Json, _rng: random.Random) -> Json:
    field(fields, "event")[1].update(regenerate="wish-1", replaces="22" * 32)
    return fields


@mutation(6, "receipt", lambda plan: has_pairs(plan) and plan.fields["reply"]["rejected"] > 0)
def _more_rejected_attempts_than_attempts(receipt: Json, _rng: random.Random) -> Json:
    return receipt | {"attempt": 0}


def spans_of(fields: Json) -> Json:
    """Return the spans among the salted fields."""
    return field(fields, "spans")[1]


@mutation(7, "fields", is_reply)
def _a_context_with_another_token(fields: Json, rng: random.Random) -> Json:
    tokens = field(fields, "context")[1]["tokens"]
    tokens[rng.randrange(len(tokens))] += 1
    return fields


@mutation(7, "fields", is_reply)
def _a_context_with_a_hidden_text(fields: Json, rng: random.Random) -> Json:
    tokens = field(fields, "context")[1]["tokens"]
    tokens.insert(rng.randrange(len(tokens) + 1), rng.randint(3, 31_999))
    field(fields, "counts")[1]["context"] += 1
    return fields


@mutation(7, "fields", is_reply)
def _a_span_with_another_token(fields: Json, rng: random.Random) -> Json:
    tokens = rng.choice(spans_of(fields))["tokens"]
    tokens[rng.randrange(len(tokens))] += 1
    return fields


@planned(7, has_pairs)
def _a_hidden_turn(plan: Plan, _rng: random.Random) -> None:
    spans = plan.fields["spans"]
    hidden = [dict(span) for span in spans[1:3]]
    spans[1:1] = hidden  # a pair more, that cites a receipt which is cited already
    _complete(plan)
    plan.fields["choice"] = {"older": None, "start": 1}


def _complete(plan: Plan) -> None:
    """Render the spans again, so that nothing else is wrong."""
    tokens = context_of(plan.manifest, plan.fields["spans"])
    plan.fields["context"]["tokens"] = tokens
    plan.fields["counts"]["context"] = len(tokens)


@planned(7, is_reply)
def _a_second_persona(plan: Plan, _rng: random.Random) -> None:
    plan.fields["spans"].insert(0, dict(plan.fields["spans"][0]))


@planned(7, is_reply)
def _no_message(plan: Plan, _rng: random.Random) -> None:
    del plan.fields["spans"][-1]


@planned(7, is_reply)
def _no_persona(plan: Plan, _rng: random.Random) -> None:
    del plan.fields["spans"][0]


@planned(7, is_reply)
def _two_messages(plan: Plan, _rng: random.Random) -> None:
    plan.fields["spans"].append(dict(plan.fields["spans"][-1]))


@planned(7, has_pairs)
def _a_pair_turned_round(plan: Plan, _rng: random.Random) -> None:
    spans = plan.fields["spans"]
    spans[1], spans[2] = spans[2], spans[1]


@planned(7, has_pairs)
def _half_a_pair(plan: Plan, rng: random.Random) -> None:
    del plan.fields["spans"][rng.choice([1, 2])]


@planned(7, has_pairs)
def _a_pair_of_two_receipts(plan: Plan, _rng: random.Random) -> None:
    plan.fields["spans"][1]["receipt"] = "33" * 32


@planned(7, has_pairs)
def _a_conversation_that_does_not_go_on(plan: Plan, _rng: random.Random) -> None:
    for span in plan.fields["spans"][-3:-1]:
        span["receipt"] = "44" * 32


@planned(7, lambda plan: has_pairs(plan) and plan.fields["event"]["replaces"] is not None)
def _the_replaced_reply_is_quoted(plan: Plan, _rng: random.Random) -> None:
    plan.fields["event"]["replaces"] = plan.fields["spans"][1]["receipt"]


@planned(7, is_reply)
def _a_count_of_other_tokens(plan: Plan, rng: random.Random) -> None:
    plan.fields["counts"][rng.choice(["context", "output"])] += 1


@planned(7, lambda plan: is_reply(plan) and plan.fields["choice"]["older"] is None)
def _a_turn_that_did_not_fit_and_was_none(plan: Plan, _rng: random.Random) -> None:
    plan.fields["choice"]["older"] = {"receipt": "55" * 32, "tokens": 4000}


@planned(7, lambda plan: is_reply(plan) and plan.fields["choice"]["older"] is not None)
def _a_turn_left_out_that_would_have_fitted(plan: Plan, rng: random.Random) -> None:
    room = plan.manifest["rendering"]["window_tokens"] - len(plan.fields["context"]["tokens"])
    plan.fields["choice"]["older"]["tokens"] = rng.randint(1, max(1, room))


@planned(7, lambda plan: is_reply(plan) and plan.fields["choice"]["older"] is not None)
def _a_turn_left_out_and_not_named(plan: Plan, _rng: random.Random) -> None:
    plan.fields["choice"]["older"] = None


@planned(7, is_reply)
def _a_chain_that_starts_after_this_turn(plan: Plan, _rng: random.Random) -> None:
    plan.fields["choice"] = {"older": None, "start": plan.fields["turn"]["n"] + 1}


@planned(7, is_reply)
def _an_output_beyond_the_longest(plan: Plan, rng: random.Random) -> None:
    plan.fields["output"]["tokens"] = [rng.randint(3, 999) for _ in range(17)]
    plan.fields["counts"]["output"] = 17


def _finished(finish: str) -> Any:  # noqa: ANN401 - a predicate
    return lambda plan: is_reply(plan) and plan.fields["reply"]["finish"] == finish


@planned(7, _finished("length"))
def _a_length_that_was_not_reached(plan: Plan, _rng: random.Random) -> None:
    plan.fields["output"]["tokens"].pop()
    plan.fields["counts"]["output"] -= 1


@planned(7, _finished("end"))
def _an_end_at_the_longest(plan: Plan, rng: random.Random) -> None:
    plan.fields["output"]["tokens"] = [rng.randint(3, 999) for _ in range(16)]
    plan.fields["counts"]["output"] = 16


@planned(
    7, lambda plan: plan.fields["reply"]["finish"] in {"stop", "stopped", "cut"} and plan.opened
)
def _a_halt_before_the_first_token(plan: Plan, _rng: random.Random) -> None:
    plan.fields["output"]["tokens"] = []
    plan.fields["counts"]["output"] = 0


@planned(7, lambda plan: _finished("end")(plan) and not plan.manifest["filter"]["stop_strings"])
def _a_stop_string_where_there_is_none(plan: Plan, _rng: random.Random) -> None:
    plan.fields["reply"]["finish"] = "stop"
    plan.fields["output"]["tokens"] = [5]
    plan.fields["counts"]["output"] = 1


@planned(7, lambda plan: is_reply(plan) and bool(plan.fields["output"]["tokens"]))
def _a_stop_token_in_the_output(plan: Plan, rng: random.Random) -> None:
    tokens = plan.fields["output"]["tokens"]
    tokens[rng.randrange(len(tokens))] = 2


@planned(7, has_pairs)
def _a_stop_token_in_an_earlier_reply(plan: Plan, _rng: random.Random) -> None:
    plan.fields["spans"][2]["tokens"][0] = 2
    _complete(plan)


@planned(7, lambda plan: is_reply(plan) and bool(plan.manifest["filter"]["stop_strings"]))
def _a_stop_string_in_the_text(plan: Plan, rng: random.Random) -> None:
    plan.fields["reply"]["text"] = "So.\n" + rng.choice(["Fan: go on", "You are mine"])


@planned(7, lambda plan: is_reply(plan) and bool(plan.manifest["rules"]))
def _a_reply_where_the_rule_answers(plan: Plan, rng: random.Random) -> None:
    said = rng.choice(["I want to die", "suicide", "They say: KILL   myself!"])
    plan.fields["message"]["parts"][-1]["text"] = said


@planned(7, is_fixed)
def _a_fixed_answer_to_anything(plan: Plan, rng: random.Random) -> None:
    for part in plan.fields["message"]["parts"]:
        part["text"] = rng.choice(["hello", "suicide squad is a film", "I could die"])


@planned(7, is_fixed)
def _a_fixed_answer_in_other_words(plan: Plan, rng: random.Random) -> None:
    plan.fields["reply"]["text"] += rng.choice([" ", ".", " Buy my course."])


@planned(7, is_fixed)
def _a_fixed_answer_with_tokens(plan: Plan, _rng: random.Random) -> None:
    plan.fields["output"]["tokens"] = [5]
    plan.fields["counts"]["output"] = 1


@planned(7, is_fixed)
def _a_fixed_answer_that_was_generated(plan: Plan, _rng: random.Random) -> None:
    plan.fields["reply"]["finish"] = "end"


@planned(7, is_fixed)
def _a_fixed_answer_in_the_middle_of_a_chain(plan: Plan, _rng: random.Random) -> None:
    plan.fields["choice"]["start"] = plan.fields["turn"]["n"] + 1


@planned(7, is_reply)
def _a_reply_that_claims_to_be_fixed(plan: Plan, _rng: random.Random) -> None:
    plan.fields["reply"]["finish"] = "fixed"
    plan.fields["event"]["halt"] = None


def _can_repeat(plan: Plan) -> bool:
    if not has_pairs(plan) or plan.fields["reply"]["finish"] != "end":
        return False
    spans, redraws = plan.fields["spans"], plan.manifest["filter"]["redraws"]
    return bool(
        plan.fields["reply"]["rejected"] < redraws and spans[1]["tokens"] != spans[-1]["tokens"]
    )


@planned(7, _can_repeat)
def _a_reply_that_the_filter_rejects(plan: Plan, _rng: random.Random) -> None:
    tokens = plan.fields["spans"][2]["tokens"]
    plan.fields["output"]["tokens"] = list(tokens)
    plan.fields["counts"]["output"] = len(tokens)


@planned(7, lambda plan: is_reply(plan) and len(plan.fields["spans"]) == 2)
def _a_rejection_without_an_earlier_reply(plan: Plan, _rng: random.Random) -> None:
    plan.fields["reply"]["rejected"] = 1
    plan.receipt["attempt"] += 1


@planned(7, lambda plan: has_pairs(plan) and plan.fields["reply"]["rejected"] == 0)
def _more_redraws_than_were_signed(plan: Plan, _rng: random.Random) -> None:
    more = plan.manifest["filter"]["redraws"] + 1
    plan.fields["reply"]["rejected"] = more
    plan.receipt["attempt"] += more


def _fits_no_window(plan: Plan) -> bool:
    return is_reply(plan) and plan.fields["choice"]["older"] is None


@planned(7, _fits_no_window)
def _a_context_beyond_the_window(plan: Plan, rng: random.Random) -> None:
    plan.fields["spans"][-1]["tokens"] = [rng.randint(3, 999) for _ in range(200)]
    _complete(plan)
