"""An outsider's recount: fetches what a service has published, and asks log and chain."""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.crypto.eip712 import encode_address
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, VerifierKey
from bot.domain.errors import TransientError, UserError
from bot.domain.leaf import OutcomeLeaf, RatesLeaf, ReplyLeaf, parse_leaf, twin_prefix
from bot.domain.statements import Outcome
from bot.domain.twin_log import ENTRY_BYTES, MAX_ENTRIES
from bot.ports.monitor import Position, RemoteLog
from bot.ports.recount import PayoutAnswers, PublishedSettlement
from bot.settlement.publication import Publication
from bot.settlement.recount import (
    EarlierLook,
    Evidence,
    FollowedLog,
    LogHead,
    LogReading,
    OwnReceipt,
)
from bot.transparency.citations import judge_rates
from bot.transparency.fetching import Grown, Step, fetch_bodies, fetch_leaves, grow
from bot.transparency.growth import Growth, compare, parse_head

if TYPE_CHECKING:
    from adapters.files.recounts import RecountFolder

READ_LEAVES = 65_536
"""A log of up to so many leaves is read whole, where nobody said otherwise."""
_TWIN = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_REMOTE = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a creator asks for.

    Attributes:
        twin: 64 hexadecimal digits, or a live twin's name.
        source: address of the service, or a folder of an earlier recount.
        keep: folder of earlier recounts.
        epoch: None for the newest final one.
        last: how many epochs are recounted, that one included.
        key: of the log that the creator follows; None to leave it out.
        leaves: whether the log's leaves are read; None: if they are not many.
        contract: 20 bytes; set exactly if `rpc` is.
    """

    twin: str
    source: str
    keep: Path | None = None
    epoch: int | None = None
    last: int = 31
    key: VerifierKey | None = None
    leaves: bool | None = None
    rpc: str | None = None
    contract: bytes | None = None
    payout: bytes | None = None
    receipts: Sequence[OwnReceipt] = ()


async def gather(question: Question) -> Evidence:
    """Fetch everything that a recount needs; keep what was fetched.

    Raises:
        UserError: the question is wrong, or nothing is published.
        TransientError: service, log or node can't be reached.
    """
    from adapters.files.recounts import RecountFolder
    from adapters.web.log_client import HttpLog, open_session
    from adapters.web.settlement_client import HttpSettlement

    async with AsyncExitStack() as stack:
        remote: RemoteLog | None = None
        published: PublishedSettlement = RecountFolder(Path(question.source))
        twin = question.twin
        if _REMOTE.match(question.source):
            session = await stack.enter_async_context(open_session())
            service = HttpSettlement(session, question.source)
            remote = HttpLog(session, f"{question.source.rstrip('/')}/log")
            published = service
            if not _TWIN.fullmatch(twin):
                twin = await _look_up(service.find_twin(_slug(twin)), twin)
        if not _TWIN.fullmatch(twin):
            raise UserError(
                "Name the twin by its id, 64 hexadecimal digits: a folder knows no names."
            )
        kept = None if question.keep is None else RecountFolder(question.keep)
        evidence = await _published(question, bytes.fromhex(twin), published, kept)
        if remote is not None and evidence.twin_log:
            evidence = await _with_log(question, evidence, remote)
            if question.epoch is None:
                evidence = _with_looks(evidence, kept)
    return evidence


def _with_looks(evidence: Evidence, kept: "RecountFolder | None") -> Evidence:
    """Say what time it is, and what was seen when."""
    from adapters.host.system import SystemClock

    found = [] if kept is None else kept.looks(evidence.twin)
    looks = [EarlierLook(datetime.fromtimestamp(at, UTC), entries) for at, entries in found]
    return replace(evidence, at=SystemClock().now(), looks=looks)


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise UserError(
            "Name the twin by its id, 64 hexadecimal digits, or by its name in commands."
        )
    return text


async def _look_up(asked: Awaitable[bytes | None], slug: str) -> str:
    found = await asked
    if found is None:
        raise UserError(f"The service has no live twin {slug}: name the twin by its id.")
    return found.hex()


async def _published(
    question: Question, twin: bytes, published: PublishedSettlement, kept: "RecountFolder | None"
) -> Evidence:
    """Fetch publications and twin log, and what was kept of them."""
    newest = await published.publication(question.epoch)
    if newest is None:
        which = "no final epoch" if question.epoch is None else f"no final epoch {question.epoch}"
        raise TransientError(f"{question.source} has published {which} yet: try again later.")
    number, entries = question.epoch or 1, 0
    with suppress(FormatError):  # step 1 says so
        parsed = await asyncio.to_thread(Publication.parse, newest)
        number = question.epoch or parsed.epoch
        leaf = parsed.leaf_of(twin)
        entries = 0 if leaf is None else leaf.entries
    if entries > MAX_ENTRIES:
        raise UserError(f"The epoch says {entries} entries: more than {MAX_ENTRIES} are not read.")
    publications = {number: newest}
    for earlier in range(max(1, number - question.last + 1), number):
        data = await published.publication(earlier)
        if data is not None:  # an epoch of a lost book has nothing to show
            publications[earlier] = data
    log = await published.twin_log(twin, entries) if entries else b""
    if log is None:
        raise TransientError(f"{question.source} does not serve the twin's {entries} entries now.")
    kept_publications, kept_log = {}, b""
    if kept is not None:
        numbers = sorted(set(kept.epochs()) & set(publications))
        found = {one: await kept.publication(one) for one in numbers}
        kept_publications = {one: data for one, data in found.items() if data is not None}
        kept_log = await kept.twin_log(twin, None) or b""
    return Evidence(
        twin=twin,
        epoch=number,
        publications=publications,
        twin_log=log,
        kept_publications=kept_publications,
        kept_log=kept_log,
        payout=question.payout,
        receipts=question.receipts,
        chain=await _ask_chain(question, number, twin),
        contract="" if question.contract is None else encode_address(question.contract),
    )


async def _ask_chain(question: Question, epoch: int, twin: bytes) -> PayoutAnswers | None:
    if question.rpc is None or question.contract is None:
        return None
    from adapters.evm.json_rpc import JsonRpc
    from adapters.evm.payouts import RpcPayoutLookup

    async with JsonRpc(question.rpc) as rpc:
        return await RpcPayoutLookup(rpc).ask_payout(question.contract, epoch, twin)


async def _with_log(question: Question, evidence: Evidence, remote: RemoteLog) -> Evidence:
    """Compare the epoch's log with the head that the creator follows, and read its leaves."""
    try:
        epoch = Publication.parse(evidence.publications[evidence.epoch])
    except FormatError:
        return evidence
    if question.key is not None:
        head = await _compare(remote, question.key, epoch)
        evidence = replace(evidence, head=head)
    wanted = epoch.log_size <= READ_LEAVES if question.leaves is None else question.leaves
    if wanted:
        evidence = replace(evidence, reading=await _read(remote, evidence.twin, epoch.log_size))
    return evidence


async def _compare(remote: RemoteLog, key: VerifierKey, epoch: Publication) -> LogHead:
    note = await remote.checkpoint()
    if note is None:
        raise TransientError("The log has no signed head yet: try again later.")
    try:
        head = parse_head(note, key)
    except (FormatError, MismatchError) as error:
        raise UserError(
            f"The head that the log shows is not signed by this key: {error}."
        ) from error
    if head.size < epoch.log_size:
        return LogHead(key.name, head.size, FollowedLog.SHORTER)
    said = Checkpoint(key.name, epoch.log_size, epoch.log_root)
    states = {
        Growth.EXTENDS: FollowedLog.SAME,
        Growth.FORKS: FollowedLog.FORKS,
        Growth.UNPROVEN: FollowedLog.UNPROVEN,
    }
    return LogHead(key.name, head.size, states[await compare(remote, said, head)])


async def _read(remote: RemoteLog, twin: bytes, size: int) -> LogReading:
    """Read the log's leaves below a size: the twin's receipts, their outcomes, the rate tables."""
    position = Position("", 0, ())
    receipts: dict[bytes, None] = {}
    outcomes: list[tuple[bytes, Outcome]] = []
    held: list[int | None] = []
    while position.size < size:
        step = Step.after(position.size, size)
        leaves = await fetch_leaves(remote, step)
        if not leaves:
            raise TransientError("The log serves leaves that can't be read: try again later.")
        for leaf in leaves:
            _note(leaf, twin_prefix(twin), receipts, outcomes)
        held += await _held_hours(remote, step, leaves)
        grown = await asyncio.to_thread(grow, position, leaves)
        position = Position("", grown.size, grown.frontier)
    root = Grown(position.size, position.frontier, ()).root
    hours = [one for one in held if one is not None]
    longest = max(hours, default=None) if len(hours) == len(held) else None
    return LogReading(root, tuple(receipts), tuple(outcomes), longest)


async def _held_hours(remote: RemoteLog, step: Step, leaves: Sequence[bytes]) -> list[int | None]:
    """Return how long each rate table among leaves lets fees be held; None of one not published."""
    tables = []
    for place, data in enumerate(leaves):
        with suppress(FormatError):  # a monitor says so
            leaf = parse_leaf(data)
            tables += [(place, leaf)] if isinstance(leaf, RatesLeaf) else []
    bodies = await fetch_bodies(remote, step) if tables else []
    found = [judge_rates(place, leaf, bodies[place])[0] for place, leaf in tables]
    return [None if table is None else table.held_hours for table in found]


def _note(
    data: bytes,
    prefix: bytes,
    receipts: dict[bytes, None],
    outcomes: list[tuple[bytes, Outcome]],
) -> None:
    try:
        leaf = parse_leaf(data)
    except FormatError:
        return  # a monitor says so
    if isinstance(leaf, ReplyLeaf) and leaf.twin == prefix:
        receipts[leaf.receipt] = None
    elif isinstance(leaf, OutcomeLeaf) and leaf.receipt in receipts:
        outcomes.append((leaf.receipt, leaf.outcome))


def keep(folder: Path, evidence: Evidence) -> None:
    """Keep what was recounted, for the next time.

    Raises:
        UserError: the folder can't be written.
    """
    from adapters.files.recounts import RecountFolder

    data, kept = dict(evidence.publications), RecountFolder(folder)
    kept.keep(evidence.twin, data, evidence.twin_log)
    if evidence.at is not None:
        entries = len(evidence.twin_log) // ENTRY_BYTES
        kept.keep_look(evidence.twin, int(evidence.at.timestamp()), entries)
