"""What is kept of a reply that somebody ended before the model did."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.domain.errors import UserError
from bot.domain.fields import Finish
from bot.domain.statements import VoidReason
from bot.ports.inference import Generated
from bot.twins.running import Halt
from bot.twins.turns import TakenBackError


@dataclass(frozen=True, slots=True)
class Unkept:
    """There is no reply: why, for the log's void, and what the fan is told."""

    reason: VoidReason
    error: Callable[[], UserError]


TAKEN_BACK = Unkept(VoidReason.WITHDRAWN, TakenBackError)


def settle_halted(generated: Generated, halt: Halt, name: str) -> Generated | Unkept:
    """Return what a generation leaves: all of it, what was made until the halt, or nothing.

    A generation that ended by itself before the halt was seen is simply complete.

    Args:
        generated: what the engine made.
        halt: who asked for its end, if anybody did.
        name: the twin's.
    """
    if halt.dropped:
        return TAKEN_BACK
    if generated.finish != "halted" or halt.finish is None:
        return generated
    if generated.tokens and generated.text:
        return replace(generated, finish=halt.finish.value)
    if halt.finish is Finish.CUT:
        return Unkept(
            VoidReason.HALTED,
            lambda: UserError(f"{name} was paused by its creator; nothing was charged."),
        )
    return Unkept(
        VoidReason.HALTED,
        lambda: UserError("Stopped before it began; nothing was charged."),
    )
