"""Whether one signed head of a log extends another, found out from the log's own tiles.

Pure but for fetching. Three answers: it does; it does not, and the tiles show another history; or
the tiles that were served do not fit the head, so that nothing is shown.
"""

import asyncio
from collections.abc import Iterable
from enum import Enum

from bot.crypto import merkle
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.merkle import Node
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.crypto.tiles import nodes_of, parse_hashes, tiles_of
from bot.domain.errors import UnservedError
from bot.ports.monitor import RemoteLog


class Growth(Enum):
    """How two heads stand to each other."""

    EXTENDS = "the larger head holds all that the smaller one did"
    FORKS = "both are signed, and the larger one's tree has other leaves below the smaller size"
    UNPROVEN = "the tiles that the log serves do not lead to the head that it signed"


def parse_head(note: str, log: VerifierKey) -> Checkpoint:
    """Open a signed head of a log.

    Raises:
        FormatError: not a checkpoint.
        MismatchError: not signed by the log's key, or of another log.
    """
    checkpoint = Checkpoint.parse(open_note(note, log).text)
    if checkpoint.origin != log.name:
        raise MismatchError(f"the checkpoint is of {checkpoint.origin}, not of {log.name}")
    return checkpoint


async def compare(remote: RemoteLog, old: Checkpoint, new: Checkpoint) -> Growth:
    """Say whether `new` extends `old`; `old` is not larger.

    Raises:
        UnservedError: the log lacks a tile.
        TransientError: the log can't be reached.
    """
    if old.size == new.size:
        return Growth.EXTENDS if old.root == new.root else Growth.FORKS
    if old.size == 0:
        return Growth.EXTENDS
    needed = merkle.consistency_nodes(old.size, new.size)
    nodes = await fetch_nodes(remote, needed + merkle.frontier_nodes(old.size), new.size)
    if nodes is None:
        return Growth.UNPROVEN
    proof = merkle.consistency_from_nodes(old.size, new.size, nodes)
    served = merkle.root_from_nodes(old.size, nodes)
    for root, answer in ((old.root, Growth.EXTENDS), (served, Growth.FORKS)):
        try:
            merkle.verify_consistency(
                old=old.size, new=new.size, proof=proof, old_root=root, new_root=new.root
            )
        except MismatchError:
            continue
        return answer
    return Growth.UNPROVEN


async def fetch_nodes(
    remote: RemoteLog, nodes: Iterable[Node], size: int
) -> dict[Node, bytes] | None:
    """Fetch subtree hashes of a tree of `size` leaves; None where a tile is not as it should be.

    Raises:
        UnservedError: the log lacks a tile.
        TransientError: the log can't be reached.
    """
    wanted = list(nodes)
    found = {}
    tiles = tiles_of(wanted, size)
    for tile, data in zip(
        tiles, await asyncio.gather(*(remote.tile(tile) for tile in tiles)), strict=True
    ):
        if data is None:
            raise UnservedError(f"the log does not serve tile {tile.level}/{tile.position}")
        try:
            found[tile.level, tile.index] = parse_hashes(data, tile.width)
        except FormatError:
            return None
    return nodes_of(wanted, found)


def describe_unserved(before: Checkpoint, head: Checkpoint) -> str:
    """Return the sentence of a head that the log signed and does not join to the one before."""
    return (
        f"The log signed a head of {head.size} leaves with root {head.root.hex()} and did not "
        f"serve the tiles that join it to the one of {before.size} leaves that it signed before: "
        "late, or to hide another history. Both signed heads are kept as evidence."
    )


def describe(growth: Growth, before: Checkpoint, head: Checkpoint) -> tuple[str, str]:
    """Return the kind and the sentence of a head that does not extend the one before."""
    if growth is Growth.FORKS:
        sentence = (
            f"The log has two histories: with the same key it signed a head of {before.size} "
            f"leaves with root {before.root.hex()[:16]}…, and one of {head.size} leaves with root "
            f"{head.root.hex()[:16]}…, which does not contain it. Whoever was shown the one does "
            "not see what the other holds. Both signed heads are kept as evidence."
        )
        return "fork", sentence
    if head.size < before.size:
        sentence = (
            f"The log shows a head of {head.size} leaves, after it signed one of {before.size}, "
            "and does not serve that one's tree any more: leaves are gone, as when an old backup "
            "was restored, or you are shown an old copy."
        )
        return "shrunk", sentence
    sentence = (
        f"The log does not show that its head of {head.size} leaves extends the one of "
        f"{before.size} leaves that it signed before: its tiles do not lead to that head."
    )
    return "unproven", sentence
