"""Step 7 of a verification: what was answered, what the model was given, how its output ended."""

from bot.crypto.errors import MismatchError
from bot.domain.fields import (
    NO_EVENT,
    Choice,
    Counts,
    Fields,
    Finish,
    SpanKind,
    check_span_order,
    pairs_of,
)
from bot.domain.manifest import Manifest
from bot.domain.receipt import Receipt
from bot.domain.rules import first_rule
from bot.generation.output import EMPTY_REPLY
from bot.generation.rendering import render, rendered_length
from bot.generation.repeats import Repeats
from bot.receipts.steps import evidence
from bot.receipts.verified import StepResult


def check_context(receipt: Receipt, manifest: Manifest, fields: Fields) -> StepResult:
    """Check a fixed answer against its rule, and a reply against everything that decides it.

    Raises:
        VerificationError: step 7, something is not as the manifest has it.
        MalformedProofError: step 7, the spans are outside the grammar.
    """
    with evidence(7):
        rule = first_rule(manifest.rules, fields.message)
        if receipt.rule is not None:
            if rule is None or rule.id != receipt.rule:
                raise MismatchError("another rule applies to the message, or none does")
            _check_fixed(fields, rule.text)
            return StepResult(7, f"The rule {rule.id} applies to the message; this is its answer.")
        if rule is not None:
            raise MismatchError(f"the rule {rule.id} applies to the message, and was passed over")
        # Added up first: what is too long is never built.
        if rendered_length(manifest.rendering, fields.spans) > manifest.rendering.window_tokens:
            raise MismatchError("the context is longer than the window")
        if render(manifest.rendering, fields.spans) != fields.context:
            raise MismatchError("the spans do not render to the context")
        _check_counts(fields)
        _check_earlier_turns(fields)
        _check_choice(manifest, fields)
        _check_output(manifest, fields)
        _check_redraws(manifest, fields)
    sentence = f"{len(fields.spans)} spans give the {len(fields.context)} context tokens."
    return StepResult(7, sentence)


def _check_fixed(fields: Fields, text: str) -> None:
    """Check that nothing was generated, and that the answer is the rule's."""
    if fields.text != text:
        raise MismatchError("the text is not the rule's")
    if (fields.spans, fields.context, fields.output) != ((), (), ()):
        raise MismatchError("a fixed answer has no spans, no context and no output")
    ended = (fields.finish, fields.rejected, fields.event)
    if ended != (Finish.FIXED, 0, NO_EVENT):
        raise MismatchError("a fixed answer is final: nothing ends, replaces or repeats it")
    if (fields.choice, fields.counts) != (Choice(fields.turn), Counts(0, 0)):
        raise MismatchError("a fixed answer quotes nothing")


def _check_counts(fields: Fields) -> None:
    if fields.counts != Counts(len(fields.context), len(fields.output)):
        raise MismatchError("the counts are not the lengths of context and output")


def _check_earlier_turns(fields: Fields) -> None:
    """Check that the pairs, if there are any, end with the conversation's previous turn."""
    check_span_order(fields.spans)
    pairs = pairs_of(fields.spans)
    if len(pairs) >= fields.turn:
        raise MismatchError("the context holds more turns than the conversation has")
    if pairs and pairs[-1][0].receipt != fields.previous:
        raise MismatchError("the last earlier turn in the context is not the previous turn")
    replaced = fields.event.replaces
    if replaced is not None and replaced in {fields.previous, *(s.receipt for s in fields.spans)}:
        raise MismatchError("the reply that is replaced counts as an earlier turn")


def _check_choice(manifest: Manifest, fields: Fields) -> None:
    """Recompute which of the chain's turns had to be quoted: all of them, or all that fit."""
    choice, pairs = fields.choice, pairs_of(fields.spans)
    chain = fields.turn - choice.start
    if chain < 0:
        raise MismatchError("the chain of turns begins after this one")
    older = choice.older
    if older is None:
        if len(pairs) != chain:
            raise MismatchError("the context does not quote the whole chain of turns")
        return
    if len(pairs) >= chain:
        raise MismatchError("no turn of the chain is left out, and one is named")
    if fields.counts.context + older.tokens <= manifest.rendering.window_tokens:
        raise MismatchError("the turn that was left out fits into the window")
    if older.receipt in {span.receipt for span in fields.spans}:
        raise MismatchError("the turn that was left out is quoted")
    # The latest turn that is not quoted: it is known which one, if none is.
    if not pairs and older.receipt != fields.previous:
        raise MismatchError("the turn that was left out is not the previous one")
    if older.receipt == fields.event.replaces:
        raise MismatchError("the reply that is replaced counts as a turn that was left out")


def _check_output(manifest: Manifest, fields: Fields) -> None:
    length, longest = len(fields.output), manifest.sampler.max_tokens
    stops = manifest.filter.stop_strings
    consistent = {
        Finish.END: length < longest,
        Finish.LENGTH: length == longest,
        Finish.STOP: 1 <= length <= longest and bool(stops),
        Finish.STOPPED: 1 <= length < longest,
        Finish.CUT: 1 <= length < longest,
        Finish.FIXED: False,
    }
    if not consistent[fields.finish]:
        raise MismatchError(f"{length} output tokens can't have finished by '{fields.finish}'")
    stop_tokens = set(manifest.filter.stop_tokens)
    committed = [span.tokens for span in fields.spans if span.kind is SpanKind.TWIN]
    if any(not stop_tokens.isdisjoint(part) for part in [fields.output, *committed]):
        raise MismatchError("a stop token stands in committed output")
    if not fields.output and fields.text != EMPTY_REPLY:
        raise MismatchError("a reply without tokens has a text")
    if fields.text != EMPTY_REPLY and any(stop in fields.text for stop in stops):
        raise MismatchError("the reply's text holds a stop string")


def _check_redraws(manifest: Manifest, fields: Fields) -> None:
    """Check that the filter had something to reject, and did where it had to."""
    redraws = manifest.filter.redraws
    if fields.rejected > redraws:
        raise MismatchError(f"{fields.rejected} attempts were rejected, {redraws} may be")
    message = fields.spans[-1].tokens
    others = [fan for fan, _ in pairs_of(fields.spans) if fan.tokens != message]
    if fields.rejected and not others:
        raise MismatchError("attempts were rejected, and there is nothing that they could repeat")
    whole = fields.rejected < redraws and not fields.finish.halted
    if whole and Repeats.in_context(fields.spans).rejects(fields.output):
        raise MismatchError("the reply repeats one to another message, and was not drawn again")
