"""An outsider's look at the chain: nodes of their own choosing are asked about one anchor."""

import asyncio
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from bot.domain.errors import UserError
from bot.ports.anchors import Anchor, AnchorPlace
from bot.receipts.anchor import AnchorReport, NamedFinding, check_anchor, join_findings

MOST_RPCS = 5


def check_rpcs(urls: Sequence[str]) -> None:
    """Refuse addresses that can't be asked, or one that is given twice.

    Raises:
        UserError: one is wrong.
    """
    if not all(_is_address(url) for url in urls):
        raise UserError("--rpc must be an address that begins with http:// or https://.")
    if len(set(urls)) != len(urls) or len(urls) > MOST_RPCS:
        raise UserError(f"Name up to {MOST_RPCS} RPCs with --rpc, each of them once.")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        return False


async def look_up(
    anchor: Anchor, urls: Sequence[str], policy: Collection[AnchorPlace]
) -> AnchorReport:
    """Ask each node about an anchor, and join what they say.

    Args:
        anchor: from a bundle that was verified.
        urls: JSON-RPC addresses of nodes, checked by `check_rpcs`.
        policy: the contracts that the verifier was told of.

    Raises:
        ChainUnavailableError: one of them does not answer: then they don't agree either.
    """
    return join_findings(await asyncio.gather(*(_ask(anchor, url, policy) for url in urls)))


async def _ask(anchor: Anchor, url: str, policy: Collection[AnchorPlace]) -> NamedFinding:
    from adapters.evm.anchors import RpcAnchorLookup
    from adapters.evm.json_rpc import JsonRpc

    async with JsonRpc(url) as rpc:
        lookup = RpcAnchorLookup(rpc)
        answers = await lookup.ask(anchor.place, anchor.epoch)
        return NamedFinding(lookup.name, check_anchor(anchor, answers, policy))
