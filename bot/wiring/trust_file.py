"""The operator's own keys as a verifier's trust policy, in a file that can be handed on."""

from collections.abc import Iterable
from pathlib import Path

from bot.config import SettlementSettings
from bot.ports.anchors import AnchorPlace
from bot.receipts.trust import format_policy
from bot.wiring.rpc_chain import read_place

POLICY = "trust.json"


def write_policy(
    folder: Path, creators: Iterable[str], log: str, settlement: SettlementSettings
) -> None:
    """Write creators, the log's vkey, and the contract on a real chain; witnesses are others'."""
    place = read_place(settlement)
    anchors = [] if place is None else [AnchorPlace(place.chain_id, place.contract)]
    text = format_policy(creators, log, anchors)
    (folder / POLICY).write_text(text, encoding="utf-8")
