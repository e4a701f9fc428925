"""`verify`: what an outsider does with a proof link."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bot.cli import printing
from bot.cli.anchoring import FALSE, ask_chain
from bot.cli.auditors_word import ask_auditors, print_auditors
from bot.cli.costs import describe_cost
from bot.cli.shown import open_shown, print_shown
from bot.crypto.eip712 import encode_address
from bot.domain.errors import UserError
from bot.domain.manifest import Manifest
from bot.receipts.link import ProofLink, parse_link
from bot.receipts.trust import TrustPolicy, parse_policy
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.wiring.anchors import check_rpcs
from bot.wiring.offline import load_bundle

EXACT, TOLERANT = "L3-exact", "L3-tolerant"


async def verify(
    link: str,
    *,
    trust: Path | None,
    data: Path,
    rpcs: Sequence[str] = (),
    verdicts: Path | None = None,
    as_json: bool,
) -> int:
    """Verify a link or a disclosure, ask chain and auditors, print all; return the exit code."""
    check_rpcs(rpcs)
    parsed = parse_link(link)
    policy = None if trust is None else await asyncio.to_thread(load_policy, trust)
    bundle, source = await load_bundle(parsed, data_dir=data)
    shown = open_shown(bundle, parsed, policy)
    verified = shown.verified if shown else _verify(bundle, parsed, policy)
    chain = None
    if rpcs:
        named = frozenset() if policy is None else policy.anchors
        chain = await ask_chain(verified.anchor, rpcs, named)
    auditors = await ask_auditors(parsed, verified, policy, verdicts)
    level = None if chain is None else chain.level
    if as_json:
        found = describe(verified, source, level)
        if auditors is not None and auditors.level is not None:
            found["levels"] = [*verified.levels, *([level] if level else []), auditors.level]
        for name, answer in (("chain", chain), ("auditors", auditors), ("disclosed", shown)):
            if answer is not None:
                found[name] = answer.as_json()
        printing.print_json(found)
    else:
        if shown is not None:
            print_shown(shown)
        printing.print_verified(verified, source, level)
        if chain is not None:
            printing.print_chain(chain.state, chain.sentence)
        if auditors is not None:
            print_auditors(auditors)
    codes = {answer.code for answer in (chain, auditors) if answer is not None}
    return FALSE if FALSE in codes else max(codes, default=0)


def describe(verified: VerifiedReceipt, source: str, level: str | None = None) -> dict[str, object]:
    """Return a verified receipt as JSON values; `level` is what asking a chain has added."""
    openings = verified.openings
    return {
        "receipt": verified.receipt_id,
        "source": source,
        "twin": verified.manifest.name,
        "manifest": _describe_manifest(verified.manifest),
        "levels": [*verified.levels, *([] if level is None else [level])],
        "trust": verified.trust,
        "message": None if openings is None else openings.fields.message,
        "reply": None if openings is None else openings.fields.text,
        "attempt": verified.receipt.attempt,
        "finish": None if openings is None else openings.fields.finish.value,
        "price": describe_cost(verified.receipt),
        "outcome": None if verified.outcome is None else verified.outcome.outcome.word,
        "steps": [
            {"number": s.number, "title": s.title, "done": s.done, "found": s.sentence}
            for s in verified.steps
        ],
        "anchor": None
        if verified.anchor is None
        else {
            "chain": verified.anchor.place.chain,
            "contract": encode_address(verified.anchor.place.contract),
            "epoch": verified.anchor.epoch,
        },
        "unproved": printing.unproved_after(verified, replayed=False, anchored=level is not None),
    }


def _describe_manifest(manifest: Manifest) -> dict[str, object]:
    """Return what a creator needs to bind the twin in the registry (docs/contracts.md)."""
    return {
        "hash": manifest.hash.hex(),
        "twin": manifest.twin.hex(),
        "slug": manifest.slug,
        "version": manifest.version,
        "creator": manifest.creator,
        "payout": manifest.payout,
    }


async def verified_of(link: str, *, trust: Path | None, data: Path) -> tuple[VerifiedReceipt, str]:
    """Fetch and verify a link; return what was found and where its bundle came from."""
    parsed = parse_link(link)
    policy = None if trust is None else await asyncio.to_thread(load_policy, trust)
    bundle, source = await load_bundle(parsed, data_dir=data)
    return _verify(bundle, parsed, policy), source


def _verify(bundle: bytes, link: ProofLink, policy: TrustPolicy | None) -> VerifiedReceipt:
    return verify_bundle(bundle, key=link.key, policy=policy, receipt_id=link.receipt_id)


def load_policy(path: Path) -> TrustPolicy:
    """Read the file of a trust policy.

    Raises:
        UserError: it can't be read, or is none.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"The trust policy {path} can't be read: {error.strerror}.") from error
    try:
        return parse_policy(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
