"""`verify --rpc`: what nodes of the verifier's own choosing say of a reply's anchor."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.domain.errors import ChainUnavailableError
from bot.ports.anchors import Anchor, AnchorPlace
from bot.receipts.anchor import AnchorReport, AnchorState
from bot.wiring.anchors import look_up

FALSE, WRONG, LATER = 1, 2, 3
_NO_ANCHOR = (
    "This proof names no commitment on a chain: it is too new, or its operator settles on a chain "
    "of its own. Ask its link again later."
)


@dataclass(frozen=True, slots=True)
class ChainAnswer:
    """What came of asking.

    Attributes:
        state: `AnchorState`'s words, or `no anchor`, `out of reach`, `no agreement`.
        level: `L2`, or None.
        sentence: for the person.
        code: the command's exit code.
        report: what each node says, where all have answered.
    """

    state: str
    level: str | None
    sentence: str
    code: int
    report: AnchorReport | None = None

    def as_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        asked = () if self.report is None else self.report.asked
        return {
            "state": self.state,
            "level": self.level,
            "sentence": self.sentence,
            "rpcs": [
                {
                    "name": one.name,
                    "state": one.finding.state.value,
                    "sentence": one.finding.sentence,
                }
                for one in asked
            ],
        }


async def ask_chain(
    anchor: Anchor | None, urls: Sequence[str], policy: Collection[AnchorPlace]
) -> ChainAnswer:
    """Ask the nodes at these addresses about a verified reply's anchor.

    What a node says never undoes what was verified here: it is an answer of its own.
    """
    if anchor is None:
        return ChainAnswer("no anchor", None, _NO_ANCHOR, LATER)
    try:
        report = await look_up(anchor, urls, policy)
    except ChainUnavailableError as error:
        return ChainAnswer("out of reach", None, str(error), LATER)
    found = report.agreed
    if found is None:
        return ChainAnswer("no agreement", None, report.sentence, LATER, report)
    return ChainAnswer(found.state.value, found.level, report.sentence, _code(found.state), report)


def _code(state: AnchorState) -> int:
    if state is AnchorState.ANCHORED:
        return 0
    if state is AnchorState.OTHER_CHAIN:
        return WRONG
    return FALSE if state.is_false else LATER
