"""From a template's segments to token ids that no text in a span can imitate.

The ids are cut out of whole renderings of harmless texts, tokenised as the template engine's would
be. A cut is taken only if every span stands in there with exactly the ids that it has when it is
tokenised alone: then contexts put together from spans and segments are what the model was trained
on, although nothing a fan writes is ever tokenised together with a segment.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.domain.errors import ConfigurationError
from bot.domain.model_record import TemplateIds
from bot.generation.chat_template import TemplateSegments

MAX_SEGMENT_TOKENS = 1024
Tokenize = Callable[[str, bool], tuple[int, ...]]
"""Text and whether control tokens are read in it, to token ids."""
Piece = Callable[[int], bytes]
"""Token id to the bytes that it stands for; none for a control token."""


@dataclass(frozen=True, slots=True)
class _Probe:
    persona: str
    first: str
    twin: str
    second: str


# Beginnings and ends of every kind: capitals, small letters, digits, signs, other scripts.
_PROBES = (
    _Probe("You are Mira, a potter.", "Hello, who are you?", "I am Mira, ask me", "what is 2+2"),
    _Probe("you make bowls\n- of clay", "and 17 plates!", "Certainly; here you go.", '"Why?"'),
    _Probe("Mira (the potter)", "ich heiße Jörg", "Schön, Jörg!", "Что нового?\nЯ жду…"),
    _Probe("I like: tea, cats; 3 dogs", "(a question)", "One of 24", "Really now. I see"),
)


def bind_template(
    ways: Iterable[TemplateSegments], tokenize: Tokenize, piece: Piece
) -> TemplateIds:
    """Return the first way of cutting a template that the vocabulary keeps apart.

    Raises:
        ConfigurationError: there is none, or a text could imitate the end of a turn.
    """
    for segments in ways:
        for prefix in dict.fromkeys((segments.span_prefix, "", " ")):
            found = _bind(segments, prefix, tokenize)
            if found is not None:
                _check_size(found)
                _check_marked(found, piece, joined=bool(segments.joint))
                return found
    raise ConfigurationError(
        "The model's tokenizer does not keep what people write apart from its chat template: "
        "choose another model."
    )


def _check_size(ids: TemplateIds) -> None:
    """Require that the template leaves the context to what people say."""
    most = max(map(len, (ids.before_persona, ids.persona_to_fan, ids.fan_to_twin, ids.twin_to_fan)))
    if most > MAX_SEGMENT_TOKENS:
        raise ConfigurationError(
            f"The model's chat template adds {most} tokens of its own: choose another model."
        )


def _check_marked(ids: TemplateIds, piece: Piece, *, joined: bool) -> None:
    """Require a control token, which no text gives, wherever the speaker changes."""
    changes = [ids.fan_to_twin, ids.twin_to_fan]
    if not joined:
        changes.append(ids.persona_to_fan)
    if not all(any(not piece(token) for token in change) for change in changes):
        raise ConfigurationError(
            "The model's chat template marks the speakers with plain text, which anybody can "
            "write into a message: choose a model whose template uses control tokens."
        )


def _bind(segments: TemplateSegments, prefix: str, tokenize: Tokenize) -> TemplateIds | None:
    """Return the ids of all segments if every probe gives the same."""
    found = {_cut(segments, prefix, probe, tokenize) for probe in _PROBES}
    return found.pop() if len(found) == 1 else None


def _cut(
    segments: TemplateSegments, prefix: str, probe: _Probe, tokenize: Tokenize
) -> TemplateIds | None:
    """Cut one rendering where its spans stand; None if they do not stand there."""
    between, glue = segments, segments.span_prefix
    text = (
        between.before_persona + glue + probe.persona
        + between.persona_to_fan + glue + probe.first
        + between.fan_to_twin + glue + probe.twin
        + between.twin_to_fan + glue + probe.second
        + between.fan_to_twin
    )  # fmt: skip
    whole = tokenize(text, True)  # noqa: FBT003 - a plain function
    pieces = []
    rest = whole
    for span in (probe.persona, probe.first, probe.second):
        ids = tokenize(prefix + span, False)  # noqa: FBT003
        start = _find(rest, ids)
        if start is None:
            return None
        pieces.append(rest[:start])
        rest = rest[start + len(ids) :]
    before_persona, persona_to_fan, middle = pieces
    if middle[: len(rest)] != rest:
        return None
    after = _after_twin(middle[len(rest) :], probe.twin, prefix, tokenize)
    if after is None:
        return None
    return TemplateIds(
        span_prefix=prefix,
        before_persona=before_persona,
        persona_to_fan=persona_to_fan,
        fan_to_twin=rest,
        twin_to_fan=after,
    )


def _after_twin(
    ids: tuple[int, ...], twin: str, prefix: str, tokenize: Tokenize
) -> tuple[int, ...] | None:
    """Return what follows a twin's words, which a model may begin with a space or without."""
    mark = tokenize("]", False)  # noqa: FBT003
    glued = tokenize("]" + twin, False)  # noqa: FBT003
    spellings = [tokenize(lead + twin, False) for lead in dict.fromkeys((prefix, "", " "))]  # noqa: FBT003
    if glued[: len(mark)] == mark:
        spellings.append(glued[len(mark) :])
    for spelling in spellings:
        if ids[: len(spelling)] == spelling:
            return ids[len(spelling) :]
    return None


def _find(ids: tuple[int, ...], wanted: tuple[int, ...]) -> int | None:
    """Return where a run of ids begins first; None if it is not there."""
    starts = range(len(ids) - len(wanted) + 1)
    return next((at for at in starts if ids[at : at + len(wanted)] == wanted), None)
