"""Reads leaves into a monitor's memory, in the log's order, and keeps what is wrong with them."""

from collections.abc import Sequence
from dataclasses import replace

from bot.crypto.errors import FormatError
from bot.crypto.signed_note import VerifierKey
from bot.domain.leaf import ManifestLeaf, OrderLeaf, OutcomeLeaf, ReplyLeaf, VoidLeaf, parse_leaf
from bot.ports.monitor import MonitorTransaction, SeenAttempt, SeenReply, StoredFinding
from bot.transparency.citations import Judged, judge_manifest, judge_order, judge_statement
from bot.transparency.rules import finding, judge_outcome, judge_reply, judge_void


class LeafReading:
    """Reads leaves inside one transaction of a monitor's memory."""

    def __init__(self, tx: MonitorTransaction, log: VerifierKey) -> None:
        self._tx = tx
        self._log = log
        self._fresh: list[StoredFinding] = []

    async def read(
        self, start: int, leaves: Sequence[bytes], bodies: Sequence[bytes]
    ) -> list[StoredFinding]:
        """Read leaves from an index; return the findings that are new."""
        self._fresh = []
        for index, (data, body) in enumerate(zip(leaves, bodies, strict=True), start):
            await self._read_one(index, data, body)
        return self._fresh

    async def _read_one(self, index: int, data: bytes, body: bytes) -> None:
        try:
            leaf = parse_leaf(data)
        except FormatError as error:
            await self._tx.count("unreadable leaves")
            await self._note(finding("bad-leaf", index, f"can't be read: {error}"))
            return
        match leaf:
            case ReplyLeaf():
                await self._reply(index, leaf)
            case OutcomeLeaf():
                await self._outcome(index, leaf, body)
            case VoidLeaf():
                await self._void(index, leaf, body)
            case ManifestLeaf():
                twin = await self._tx.twin(leaf.twin)
                judged = judge_manifest(index, leaf, body, twin=twin, log=self._log)
                await self._keep("manifests", leaf.twin, judged)
            case OrderLeaf():
                twin = await self._tx.twin(leaf.twin)
                judged = judge_order(index, leaf, body, twin=twin, log=self._log)
                await self._keep("orders", leaf.twin, judged)

    async def _reply(self, index: int, leaf: ReplyLeaf) -> None:
        tx = self._tx
        known, twin = await tx.reply(leaf.receipt), await tx.twin(leaf.twin)
        attempts = await tx.attempts(leaf.slot_tag)
        await self._note(*judge_reply(index, leaf, attempts=attempts, known=known, twin=twin))
        await tx.count("replies")
        await tx.add_attempt(
            leaf.slot_tag, SeenAttempt(leaf.attempt, index, leaf.receipt, leaf.twin)
        )
        if known is None:
            against = None if twin is None else twin.stopped_by
            await tx.keep_reply(leaf.receipt, SeenReply(index, leaf.twin, against=against))

    async def _outcome(self, index: int, leaf: OutcomeLeaf, body: bytes) -> None:
        reply = await self._tx.reply(leaf.receipt)
        await self._note(*judge_outcome(index, leaf, reply), *judge_statement(index, leaf, body))
        await self._tx.count("outcomes")
        await self._tx.count(leaf.outcome.word)
        if reply is not None:
            outcomes = (*reply.outcomes, leaf.outcome.value)
            await self._tx.keep_reply(leaf.receipt, replace(reply, outcomes=outcomes))

    async def _void(self, index: int, leaf: VoidLeaf, body: bytes) -> None:
        attempts = await self._tx.attempts(leaf.slot_tag)
        await self._note(*judge_void(index, leaf, attempts), *judge_statement(index, leaf, body))
        await self._tx.count("voids")
        await self._tx.add_attempt(leaf.slot_tag, SeenAttempt(leaf.attempt, index, None, b""))

    async def _keep(self, kind: str, prefix: bytes, judged: Judged) -> None:
        await self._tx.count(kind)
        await self._tx.keep_twin(prefix, judged.twin)
        await self._note(*judged.findings)

    async def _note(self, *findings: StoredFinding) -> None:
        self._fresh += [one for one in findings if await self._tx.add_finding(one)]
