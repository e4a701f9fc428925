"""`verify`: what an outsider does with a proof link."""

import asyncio
import json
from pathlib import Path

from bot.cli import printing
from bot.domain.errors import UserError
from bot.receipts.link import parse_link
from bot.receipts.trust import TrustPolicy, parse_policy
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.wiring.offline import load_bundle

EXACT, TOLERANT = "L3-exact", "L3-tolerant"


async def verify(link: str, *, trust: Path | None, data: Path, as_json: bool) -> int:
    """Verify a link and print what was found; return the exit code."""
    verified, source = await verified_of(link, trust=trust, data=data)
    if as_json:
        printing.print_json(describe(verified, source))
    else:
        printing.print_verified(verified, source)
    return 0


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


async def verified_of(link: str, *, trust: Path | None, data: Path) -> tuple[VerifiedReceipt, str]:
    """Fetch and verify a link; return what was found and where its bundle came from."""
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
