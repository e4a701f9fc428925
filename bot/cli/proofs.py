"""`verify` and `replay`: what an outsider does with a proof link."""

import asyncio
import json
from pathlib import Path

from bot.cli import printing
from bot.domain.errors import UserError, VerificationError
from bot.ports.inference import ReplayOutcome
from bot.receipts.link import parse_link
from bot.receipts.trust import TrustPolicy, parse_policy
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.wiring.engine import no_progress
from bot.wiring.offline import load_bundle, replay_fresh

EXACT = "L3-exact"


async def verify(link: str, *, trust: Path | None, data: Path, as_json: bool) -> int:
    """Verify a link and print what was found; return the exit code."""
    verified, source = await _verified(link, trust=trust, data=data)
    if as_json:
        printing.print_json(describe(verified, source))
    else:
        printing.print_verified(verified, source)
    return 0


async def replay(
    link: str, *, model: Path | None, threads: int, trust: Path | None, data: Path, as_json: bool
) -> int:
    """Verify a link, make its reply again and compare; return the exit code."""
    verified, source = await _verified(link, trust=trust, data=data)
    if verified.openings is None:
        raise UserError("A replay needs the fan's key: use the whole link, which ends in #k=….")
    if as_json:
        outcome = await replay_fresh(
            verified, model_path=model, threads=threads, progress=no_progress
        )
        described = describe(verified, source)
        described["unproved"] = printing.unproved_after(verified, replayed=outcome.exact)
        printing.print_json({**described, "replay": describe_replay(outcome)})
    else:
        with printing.step_bar() as bar:
            outcome = await replay_fresh(verified, model_path=model, threads=threads, progress=bar)
        printing.print_subject(verified)
        printing.print_replay(outcome)
    if not outcome.exact:
        raise VerificationError(11, "the replay gives another reply: " + first_difference(outcome))
    if not as_json:
        printing.say("The reply is the same, bit for bit: L3-exact, replayed by you.", "green")
        printing.print_unproved(verified, replayed=True)
    return 0


def first_difference(outcome: ReplayOutcome) -> str:
    """Return in words where a replay parts from its receipt."""
    for token in outcome.tokens:
        if not token.same:
            return f"token {token.position} is {token.recomputed}, the receipt says {token.claimed}"
    if not outcome.tokenisation_same:
        return "persona or message have other tokens"
    return "finish or text differ"


def describe(verified: VerifiedReceipt, source: str) -> dict[str, object]:
    """Return a verified receipt as JSON values."""
    openings = verified.openings
    return {
        "receipt": verified.receipt_id,
        "source": source,
        "twin": verified.manifest.name,
        "levels": list(verified.levels),
        "trust": verified.trust,
        "message": None if openings is None else openings.fields.message,
        "reply": None if openings is None else openings.fields.text,
        "attempt": verified.receipt.attempt,
        "finish": None if openings is None else openings.fields.finish.value,
        "outcome": None if verified.outcome is None else verified.outcome.outcome.word,
        "steps": [
            {"number": s.number, "title": s.title, "done": s.done, "found": s.sentence}
            for s in verified.steps
        ],
        "unproved": list(verified.unproved),
    }


def describe_replay(outcome: ReplayOutcome) -> dict[str, object]:
    """Return a replay as JSON values."""
    return {
        "exact": outcome.exact,
        "tokens": len(outcome.tokens),
        "same": sum(token.same for token in outcome.tokens),
        "tokenisation_same": outcome.tokenisation_same,
        "text_same": outcome.text_same and outcome.finish_same,
    }


async def _verified(link: str, *, trust: Path | None, data: Path) -> tuple[VerifiedReceipt, str]:
    parsed = parse_link(link)
    policy = None if trust is None else await asyncio.to_thread(_load_policy, trust)
    bundle, source = await load_bundle(parsed, data_dir=data)
    verified = verify_bundle(bundle, key=parsed.key, policy=policy, receipt_id=parsed.receipt_id)
    return verified, source


def _load_policy(path: Path) -> TrustPolicy:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"The trust policy {path} can't be read: {error}.") from error
    if not isinstance(values, dict):
        raise UserError(f"The trust policy {path} is not a JSON object.")
    return parse_policy(values)
