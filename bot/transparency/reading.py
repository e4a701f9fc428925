"""Reads leaves into a monitor's memory, in the log's order, and keeps what is wrong with them."""

from collections.abc import Sequence
from dataclasses import replace

from bot.crypto.errors import FormatError
from bot.domain.leaf import (
    Leaf,
    ManifestLeaf,
    OrderLeaf,
    OutcomeLeaf,
    RatesLeaf,
    ReplyLeaf,
    SealLeaf,
    VerdictLeaf,
    VoidLeaf,
    parse_leaf,
)
from bot.ports.monitor import (
    MonitorTransaction,
    SeenAttempt,
    SeenRates,
    SeenReply,
    SeenVersion,
    StoredFinding,
)
from bot.transparency.citations import (
    Judged,
    judge_manifest,
    judge_number,
    judge_operator,
    judge_order,
    judge_rates,
    judge_statement,
    judge_verdict,
    twin_of_void,
)
from bot.transparency.lineage import Lineage
from bot.transparency.rules import against_of, finding, judge_outcome, judge_reply, judge_void


class LeafReading:
    """Reads leaves inside one transaction of a monitor's memory."""

    def __init__(self, tx: MonitorTransaction, lineage: Lineage) -> None:
        self._tx = tx
        self._lineage = lineage
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
            leaf = None
        if not isinstance(leaf, SealLeaf) and self._lineage.seal_at(index) is not None:
            sentence = "stands where the seal of the log before has to stand"
            await self._note(finding("bad-seal", index, sentence))
        if leaf is not None:
            await self._judge(index, leaf, body)

    async def _judge(self, index: int, leaf: Leaf, body: bytes) -> None:
        match leaf:
            case ReplyLeaf():
                await self._reply(index, leaf)
            case OutcomeLeaf():
                await self._outcome(index, leaf, body)
            case VoidLeaf():
                await self._void(index, leaf, body)
            case ManifestLeaf():
                await self._manifest(index, leaf, body)
            case OrderLeaf():
                await self._order(index, leaf, body)
            case VerdictLeaf():
                await self._verdict(index, leaf, body)
            case SealLeaf():
                await self._seal(index, leaf)
            case RatesLeaf():
                await self._rates(index, leaf, body)

    async def _reply(self, index: int, leaf: ReplyLeaf) -> None:
        tx = self._tx
        known, twin = await tx.reply(leaf.receipt), await tx.twin(leaf.twin)
        version = await self._version(leaf.twin, leaf.manifest)
        attempts = await tx.attempts(leaf.slot_tag)
        await self._note(
            *judge_reply(index, leaf, attempts=attempts, known=known, twin=twin, version=version)
        )
        if version is not None:
            await self._note(*judge_operator(version, await tx.rates()))
        await tx.count("replies")
        await tx.add_attempt(
            leaf.slot_tag, SeenAttempt(leaf.attempt, index, leaf.receipt, leaf.twin)
        )
        if known is None:
            against = against_of(twin, version)
            seen = SeenReply(index, leaf.twin, leaf.manifest, against=against)
            await tx.keep_reply(leaf.receipt, seen)

    async def _outcome(self, index: int, leaf: OutcomeLeaf, body: bytes) -> None:
        reply = await self._tx.reply(leaf.receipt)
        version = None if reply is None else await self._version(reply.twin, reply.manifest)
        operators = None if version is None else [version.operator]
        await self._note(
            *judge_outcome(index, leaf, reply), *judge_statement(index, leaf, body, operators)
        )
        await self._tx.count("outcomes")
        await self._tx.count(leaf.outcome.word)
        if reply is not None:
            outcomes = (*reply.outcomes, leaf.outcome.value)
            await self._tx.keep_reply(leaf.receipt, replace(reply, outcomes=outcomes))

    async def _void(self, index: int, leaf: VoidLeaf, body: bytes) -> None:
        attempts = await self._tx.attempts(leaf.slot_tag)
        versions = await self._tx.versions(twin_of_void(body))
        operators = {one.operator for one in versions}
        await self._note(
            *judge_void(index, leaf, attempts), *judge_statement(index, leaf, body, operators)
        )
        await self._tx.count("voids")
        await self._tx.count(f"void {leaf.reason.word}")
        seen = SeenAttempt(leaf.attempt, index, None, b"", leaf.reason.value)
        await self._tx.add_attempt(leaf.slot_tag, seen)

    async def _manifest(self, index: int, leaf: ManifestLeaf, body: bytes) -> None:
        twin, log = await self._tx.twin(leaf.twin), self._lineage.at(index)
        judged = judge_manifest(index, leaf, body, twin=twin, log=log)
        if judged.version is not None:  # logged again, it is as revoked as it was
            before = await self._version(leaf.twin, judged.version.manifest)
            judged = replace(judged, version=before or judged.version)
        await self._keep("manifests", leaf.twin, judged)

    async def _order(self, index: int, leaf: OrderLeaf, body: bytes) -> None:
        twin, versions = await self._tx.twin(leaf.twin), await self._tx.versions(leaf.twin)
        log = self._lineage.at(index)
        judged = judge_order(index, leaf, body, twin=twin, versions=versions, log=log)
        await self._keep("orders", leaf.twin, judged)

    async def _verdict(self, index: int, leaf: VerdictLeaf, body: bytes) -> None:
        await self._tx.count("verdicts")
        await self._tx.count(f"verdict {leaf.verdict.word}")
        await self._note(*judge_verdict(index, leaf, body))

    async def _seal(self, index: int, leaf: SealLeaf) -> None:
        await self._tx.count("seals")
        seal = self._lineage.seal_at(index)
        if seal is None or seal.digest != leaf.statement:
            sentence = "cites a seal that is not one of those which lead to this log"
            await self._note(finding("bad-seal", index, sentence))

    async def _rates(self, index: int, leaf: RatesLeaf, body: bytes) -> None:
        await self._tx.count("rate tables")
        table, findings = judge_rates(index, leaf, body)
        if table is not None:
            # Other operators' tables, after a seal, are numbered from 1 again.
            kind = f"rate tables of {table.operator.hex()[:16]}"
            before = (await self._tx.counts()).get(kind, 0)
            findings += judge_number(index, table, before)
            await self._tx.count(kind)
            await self._tx.keep_rates(SeenRates(index, table.operator))
        await self._note(*findings)

    async def _version(self, twin: bytes, manifest: bytes) -> SeenVersion | None:
        versions = await self._tx.versions(twin)
        return next((one for one in versions if one.manifest == manifest), None)

    async def _keep(self, kind: str, prefix: bytes, judged: Judged) -> None:
        await self._tx.count(kind)
        await self._tx.keep_twin(prefix, judged.twin)
        if judged.version is not None:
            await self._tx.keep_version(prefix, judged.version)
        await self._note(*judged.findings)

    async def _note(self, *findings: StoredFinding) -> None:
        self._fresh += [one for one in findings if await self._tx.add_finding(one)]
