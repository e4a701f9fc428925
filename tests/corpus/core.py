"""The core's verifier as the corpus asks it: JSON lines in, JSON lines out.

Run as `python -m tests.corpus.core`; bot.receipts knows nothing of the corpus.
"""

import json
import sys
from typing import Any

from bot.crypto.encoding import parse_b64url
from bot.domain.errors import VerificationError
from bot.receipts.trust import parse_policy
from bot.receipts.verify import verify_bundle


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """Return what the core says of a case."""
    policy = case["policy"]
    try:
        verified = verify_bundle(
            case["bundle"].encode("utf-8", "surrogatepass"),
            key=None if case["key"] is None else parse_b64url(case["key"]),
            policy=None if policy is None else parse_policy(json.dumps(policy).encode()),
            receipt_id=case["receipt_id"],
        )
    except VerificationError as error:
        return {"step": error.step}
    return {
        "levels": list(verified.levels),
        "trust": verified.trust,
        "opened": verified.openings is not None,
    }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)  # noqa: T201 - its one output
