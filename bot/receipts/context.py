"""Step 7 of a verification: what the model was given, and how its output ended."""

from bot.crypto.errors import MismatchError
from bot.domain.fields import Fields, Finish, SpanKind, check_earlier_turns
from bot.domain.manifest import Manifest
from bot.generation.output import EMPTY_REPLY
from bot.generation.rendering import render
from bot.receipts.steps import evidence
from bot.receipts.verified import StepResult


def check_context(manifest: Manifest, fields: Fields) -> StepResult:
    """Check that the model saw the typed spans and nothing else, and stopped where it had to.

    Raises:
        VerificationError: step 7, it did not.
        MalformedProofError: step 7, the spans are outside the grammar.
    """
    with evidence(7):
        if render(manifest.rendering, fields.spans) != fields.context:
            raise MismatchError("the spans do not render to the context")
        if len(fields.context) > manifest.rendering.window_tokens:
            raise MismatchError("the context is longer than the window")
        check_earlier_turns(fields)
        _check_output(manifest, fields)
    sentence = f"{len(fields.spans)} spans give the {len(fields.context)} context tokens."
    return StepResult(7, sentence)


def _check_output(manifest: Manifest, fields: Fields) -> None:
    length, longest = len(fields.output), manifest.sampler.max_tokens
    stops = manifest.filter.stop_strings
    consistent = {
        Finish.END: length < longest,
        Finish.LENGTH: length == longest,
        Finish.STOP: 1 <= length <= longest and bool(stops),
        Finish.STOPPED: 1 <= length < longest,
        Finish.CUT: 1 <= length < longest,
    }
    if not consistent[fields.finish]:
        raise MismatchError(f"{length} output tokens can't have finished by '{fields.finish}'")
    committed = [span.tokens for span in fields.spans if span.kind is SpanKind.TWIN]
    if any(set(manifest.filter.stop_tokens) & set(part) for part in [fields.output, *committed]):
        raise MismatchError("a stop token stands in committed output")
    if fields.text != EMPTY_REPLY and any(stop in fields.text for stop in stops):
        raise MismatchError("the reply's text holds a stop string")
