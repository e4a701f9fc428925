"""A monitor over a real log: an honest one is well, and each fault is found and named."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from adapters.sqlite.monitor_state import SqliteMonitorState
from bot.crypto.cosignature import WitnessKey, cosign
from bot.crypto.dsse import encode_envelope, sign_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.hashing import sha256
from bot.crypto.signed_note import Checkpoint, sign_note
from bot.crypto.tiles import Tile, encode_bundle
from bot.domain.errors import ConfigurationError, TransientError, UnservedError
from bot.domain.leaf import (
    ManifestLeaf,
    OutcomeLeaf,
    RatesLeaf,
    ReplyLeaf,
    SealLeaf,
    VerdictLeaf,
    VoidLeaf,
)
from bot.domain.order import OrderAction
from bot.domain.rates import RATES_TYPE, STAR, Rate, RateTable
from bot.domain.settlement import Commitment, ContractState
from bot.domain.statements import (
    OUTCOME_TYPE,
    VERDICT_TYPE,
    VOID_TYPE,
    AuditVerdict,
    Outcome,
    OutcomeStatement,
    Sample,
    VerdictStatement,
    VoidReason,
    VoidStatement,
)
from bot.domain.transactions import Finality
from bot.domain.witnesses import WitnessPolicy
from bot.ports.chain import SettlementChain
from bot.receipts.rates import publish_rates
from bot.transparency.monitor import Monitor
from bot.transparency.report import MonitorReport
from scripts.vector_events import ORDER
from scripts.vector_log import fixed_key
from tests.fakes.chain import MemoryChain
from tests.fakes.transparency import NearLog
from tests.log_rig import NOBODY, LogRig, log_order, log_rig
from tests.stage import LOG, LOG_KEY, MIRA, RECEIPTS_KEY, SURFACE, StageCreators

SLOT, RECEIPT = sha256(b"slot")[:16], sha256(b"receipt")


@dataclass(slots=True)
class Watch:
    """A monitor's memory over a rig; each look is a new monitor."""

    rig: LogRig
    state: SqliteMonitorState
    remote: NearLog
    twin: bytes = b""
    manifest: bytes = b""
    policy: WitnessPolicy = NOBODY
    chain: SettlementChain | None = None
    looks: list[MonitorReport] = field(default_factory=list)

    async def look(self) -> MonitorReport:
        """Look at what the newest head covers."""
        monitor = Monitor(
            log=LOG, remote=self.remote, state=self.state, policy=self.policy, chain=self.chain
        )
        self.looks.append(await monitor.look())
        return self.looks[-1]

    async def look_after(self, *leaves: bytes) -> MonitorReport:
        """Append leaves, sign a head, and look."""
        await self.rig.append(leaves)
        await self.rig.sign()
        return await self.look()

    def reply(
        self,
        receipt: bytes = RECEIPT,
        *,
        slot: bytes = SLOT,
        attempt: int = 0,
        rejected: int = 0,
        twin: bytes = b"",
    ) -> bytes:
        """Return a reply's leaf."""
        twin = twin or self.twin
        return ReplyLeaf(receipt, slot, attempt, rejected, twin, self.manifest).encode()

    def outcome(
        self, outcome: Outcome, receipt: bytes = RECEIPT, key: bytes = RECEIPTS_KEY
    ) -> bytes:
        """Return an outcome's leaf, whose statement the log publishes."""
        statement = OutcomeStatement(receipt, outcome).encode()
        envelope = sign_envelope(OUTCOME_TYPE, statement, key)
        leaf = OutcomeLeaf(envelope.digest, receipt, outcome).encode()
        self.remote.bodies_of[leaf] = encode_envelope(envelope)
        return leaf

    def void(
        self, attempt: int = 0, slot: bytes = SLOT, reason: VoidReason = VoidReason.FAILED
    ) -> bytes:
        """Return a void's leaf, whose statement the log publishes."""
        twin = self.rig.stage.roster.all()[0].manifest.twin
        statement = VoidStatement(twin, slot, attempt, reason).encode()
        envelope = sign_envelope(VOID_TYPE, statement, RECEIPTS_KEY)
        leaf = VoidLeaf(envelope.digest, slot, attempt, reason).encode()
        self.remote.bodies_of[leaf] = encode_envelope(envelope)
        return leaf

    def rates(self, number: int = 1, key: bytes = RECEIPTS_KEY, signed: bytes = b"") -> bytes:
        """Return a rate table's leaf, whose statement the log publishes."""
        rates = (Rate("discord-sku:7", 4 * 10**9), Rate(STAR, 13_000_000))
        table = RateTable(public_key_of(key), number, "tUSD", 504, rates).encode()
        envelope = sign_envelope(RATES_TYPE, table, signed or key)
        leaf = RatesLeaf(envelope.digest).encode()
        self.remote.bodies_of[leaf] = encode_envelope(envelope)
        return leaf

    def other_body(self, leaf: bytes, other: bytes) -> bytes:
        """Publish under a leaf what another one cites."""
        self.remote.bodies_of[leaf] = self.remote.bodies_of[other]
        return leaf

    def rejected(self, *attempts: int) -> list[bytes]:
        """Return leaves of rejected attempts."""
        return [self.void(attempt, reason=VoidReason.REJECTED) for attempt in attempts]


@pytest.fixture
async def watch(rig: LogRig, tmp_path: Path) -> AsyncIterator[Watch]:
    state = await SqliteMonitorState.open(tmp_path / "monitor.db")
    live = await rig.stage.open()
    opened = Watch(rig, state, NearLog(rig.public), live.manifest.twin[:8])
    opened.manifest = live.manifest_hash[:8]
    await rig.sign()
    yield opened
    await state.close()


async def test_the_service_itself_is_well_whatever_its_fans_do(watch: Watch) -> None:
    stage = watch.rig.stage
    first = await stage.say()
    await stage.delivery.record(first.receipt_id, Outcome.DELIVERED)
    again = await stage.again(first.receipt_id)
    await stage.delivery.record(again.receipt_id, Outcome.DELIVERED)
    await stage.again(again.receipt_id, event="once more")
    second = await stage.say(number="second")
    await stage.delivery.record(second.receipt_id, Outcome.UNDELIVERED)
    await stage.withdrawal.withdraw(SURFACE, "first")
    await watch.rig.sign()

    report = await watch.look()

    assert (report.findings, report.is_well) == ((), True)
    assert report.size == report.read
    assert report.counts["replies"] == 4
    assert report.counts["manifests"] == 1


async def test_each_look_reads_only_what_is_new(watch: Watch) -> None:
    for number in range(3):
        slot, receipt = sha256(b"%d" % number)[:16], sha256(b"r%d" % number)
        await watch.look_after(watch.reply(receipt, slot=slot))

    assert watch.looks[-1].counts["replies"] == 3
    assert [one for one in watch.remote.asked if one.startswith("entries")] == [
        "entries 000.p/2",
        "entries 000.p/3",
        "entries 000.p/4",
    ]


Leaves = Callable[[Watch], list[bytes]]
FAULTS: dict[str, tuple[Leaves, str]] = {
    "two-replies": (
        lambda w: [w.reply(), w.reply(sha256(b"second"))],
        "there is a second reply to one message",
    ),
    "attempt-gap": (
        lambda w: [w.reply(), w.reply(sha256(b"x"), attempt=2)],
        "attempt 1 was not logged before it",
    ),
    "attempt-gap of a first": (
        lambda w: [w.reply(attempt=1)],
        "attempt 0 was not logged before it",
    ),
    "attempt-gap of a void": (lambda w: [w.void(3)], "attempt 0 was not logged before it"),
    "attempt-without-cause": (
        lambda w: [w.void(0), w.reply(attempt=1)],
        "no reply before it that it could replace, nor",
    ),
    "two-replies after a void": (lambda w: [w.void(0), w.reply()], "it was voided"),
    "void-twice": (lambda w: [w.void(), w.void()], "which was voided at leaf 1"),
    "void-twice of a reply": (lambda w: [w.reply(), w.void()], "which led to a reply at leaf 1"),
    "receipt-twice": (
        lambda w: [w.reply(), w.reply(slot=sha256(b"y")[:16])],
        "logs the receipt of leaf 1",
    ),
    "two-twins": (
        lambda w: [w.reply(), w.reply(sha256(b"z"), attempt=1, twin=bytes(8))],
        "as another twin",
    ),
    "no-manifest": (lambda w: [w.reply(twin=bytes(8))], "which was not logged before"),
    "no-manifest of this version": (
        lambda w: [ReplyLeaf(RECEIPT, SLOT, 0, 0, w.twin, bytes(8)).encode()],
        "by manifest 0000000000000000, which was not logged before",
    ),
    "attempt-without-cause after another void than right before": (
        lambda w: [*w.rejected(0), w.void(1), w.reply(attempt=2)],
        "nor was the attempt right before it rejected",
    ),
    "attempt-without-cause above the rejected one": (
        lambda w: [w.void(0), *w.rejected(1), w.reply(attempt=2, rejected=1)],
        "after 1 rejected ones, and there is no reply before it",
    ),
    "attempt-without-cause that hides the rejected one": (
        lambda w: [*w.rejected(0), w.reply(attempt=1)],
        "after 0 rejected ones, and there is no reply before it",
    ),
    "rejected-miscounted": (
        lambda w: [*w.rejected(0), w.reply(attempt=1)],
        "says it follows 0 rejected attempts in a row; it follows 1",
    ),
    "rejected-miscounted of a first attempt": (
        lambda w: [w.reply(rejected=1)],
        "says it follows 1 rejected attempts in a row; it follows 0",
    ),
    "too-many-redraws": (
        lambda w: [*w.rejected(0, 1, 2, 3, 4), w.reply(attempt=5, rejected=5)],
        "after 5 rejected attempts in a row; its version allows",
    ),
    "too-many-redraws without a reply": (
        lambda w: w.rejected(0, 1, 2, 3, 4),
        "as 4 right before it",
    ),
    "bad-statement of a stranger": (
        lambda w: [w.reply(), w.outcome(Outcome.DELIVERED, key=fixed_key("stranger"))],
        "it is not signed by the operator of this twin",
    ),
    "not-published outcome": (
        lambda w: [w.reply(), OutcomeLeaf(bytes(32), RECEIPT, Outcome.DELIVERED).encode()],
        "a statement that the log does not publish",
    ),
    "bad-seal": (
        lambda _: [SealLeaf(bytes(32)).encode()],
        "cites a seal that is not one of those which lead to this log",
    ),
    "not-published rates": (
        lambda _: [RatesLeaf(bytes(32)).encode()],
        "a rate table that the log does not publish",
    ),
    "bad-statement rates of a stranger": (
        lambda w: [w.rates(signed=fixed_key("stranger"))],
        "cites a statement that is not right",
    ),
    "bad-statement rates of another leaf": (
        lambda w: [w.other_body(w.rates(1), w.rates(2))],
        "its hash is another one than the leaf's",
    ),
    "bad-statement rates that begin at two": (
        lambda w: [w.rates(2)],
        "is rate table 2 of an operator whose next one is 1",
    ),
    "bad-statement rates with a hole": (
        lambda w: [w.rates(1), w.rates(3)],
        "is rate table 3 of an operator whose next one is 2",
    ),
    "bad-statement rates twice": (
        lambda w: [w.rates(1), w.rates(1)],
        "is rate table 1 of an operator whose next one is 2",
    ),
    "rates-of-another": (
        lambda w: [w.rates(key=fixed_key("stranger")), w.reply()],
        "replies after it are of manifests that name the operator",
    ),
    "rates-of-another after the right one": (
        lambda w: [
            w.rates(),
            w.reply(),
            w.rates(key=fixed_key("stranger")),
            w.void(1),
            w.reply(sha256(b"again"), attempt=2),
        ],
        "puts a rate table of the operator",
    ),
    "outcome-without-reply": (
        lambda w: [w.outcome(Outcome.DELIVERED)],
        "which was not logged before it",
    ),
    "outcome-without-reply in its order": (
        lambda w: [w.outcome(Outcome.DELIVERED), w.reply()],
        "which was not logged before it",
    ),
    "outcome-contradiction": (
        lambda w: [w.reply(), w.outcome(Outcome.REFUNDED), w.outcome(Outcome.DELIVERED)],
        "was delivered, after it was refunded",
    ),
    "outcome-contradiction twice delivered": (
        lambda w: [w.reply(), w.outcome(Outcome.DELIVERED), w.outcome(Outcome.DELIVERED)],
        "was delivered, after it was delivered",
    ),
    "outcome-contradiction refunded, then withdrawn": (
        lambda w: [
            w.reply(),
            *map(w.outcome, (Outcome.DELIVERED, Outcome.REFUNDED, Outcome.WITHDRAWN)),
        ],
        "was withdrawn, after it was refunded",
    ),
    "outcome-contradiction withdrawn twice": (
        lambda w: [
            w.reply(),
            *map(w.outcome, (Outcome.DELIVERED, Outcome.WITHDRAWN, Outcome.WITHDRAWN)),
        ],
        "was withdrawn, after it was withdrawn",
    ),
    "outcome-contradiction without delivery": (
        lambda w: [w.reply(), *map(w.outcome, (Outcome.WITHDRAWN, Outcome.REFUNDED))],
        "was refunded, after it was withdrawn",
    ),
    "outcome-too-many": (
        lambda w: [
            w.reply(),
            *map(
                w.outcome,
                (Outcome.DELIVERED, Outcome.WITHDRAWN, Outcome.REFUNDED, Outcome.REFUNDED),
            ),
        ],
        "outcome 4 of the reply at leaf 1",
    ),
    "bad-leaf": (lambda _: [b"\x09 nothing that is known"], "can't be read"),
    "bad-leaf empty": (lambda _: [b""], "can't be read"),
    "not-published": (
        lambda w: [ManifestLeaf(sha256(b"hidden"), w.twin).encode()],
        "a manifest that the log does not publish",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_fault_is_found_and_named(watch: Watch, name: str) -> None:
    leaves, sentence = FAULTS[name]

    report = await watch.look_after(*leaves(watch))

    kinds = {one.kind for one in report.findings}
    assert name.split(" ", maxsplit=1)[0] in kinds
    assert any(sentence in one.sentence for one in report.findings), report.findings
    assert not report.is_well


async def test_allowed_outcomes_and_voids_are_no_fault(watch: Watch) -> None:
    slots = [sha256(b"slot %d" % number)[:16] for number in range(3)]
    receipts = [sha256(b"receipt %d" % number) for number in range(3)]
    report = await watch.look_after(
        watch.reply(receipts[0], slot=slots[0]),
        watch.outcome(Outcome.DELIVERED, receipts[0]),
        watch.outcome(Outcome.WITHDRAWN, receipts[0]),
        watch.void(1, slots[0]),
        watch.reply(receipts[1], slot=slots[0], attempt=2),
        watch.outcome(Outcome.WITHDRAWN, receipts[1]),
        watch.void(0, slots[1]),
        watch.outcome(Outcome.REFUNDED, receipts[0]),
    )

    assert report.findings == ()


async def test_rate_tables_are_told_and_counted_for_each_operator(watch: Watch) -> None:
    first = await watch.look_after(watch.rates(1), watch.rates(2))
    second = await watch.look_after(watch.rates(1, fixed_key("next operator")), watch.rates(3))

    assert first.is_well
    assert second.is_well
    assert second.counts["rate tables"] == 4
    assert [one.kind for one in second.findings] == ["rates"] * 4
    assert second.findings[0].sentence.endswith(
        "puts rate table 1 in force, in tUSD: discord-sku:7 4, telegram-star 0.013; fees of "
        "bought credit are held for 504 hours."
    )


async def test_the_services_own_rate_tables_are_right(watch: Watch) -> None:
    for held in (504, 504, 720):
        async with watch.rig.stage.store.transaction() as tx:
            await publish_rates(
                tx,
                RECEIPTS_KEY,
                token="tUSD",  # noqa: S106 - a currency
                held_hours=held,
                rates={STAR: 13_000_000},
            )
    await watch.rig.sign()

    report = await watch.look()

    assert report.is_well
    assert [one.kind for one in report.findings] == ["rates", "rates"]
    assert "are held for 720 hours" in report.findings[1].sentence


async def test_a_new_operators_rates_before_a_reply_of_its_own_are_right(watch: Watch) -> None:
    report = await watch.look_after(
        watch.rates(key=fixed_key("operator before")), watch.rates(), watch.reply()
    )

    assert report.is_well
    assert [one.kind for one in report.findings] == ["rates", "rates"]


async def test_another_operators_rates_are_one_fault_however_many_replies(watch: Watch) -> None:
    stranger = fixed_key("stranger")
    slots = [sha256(b"slot %d" % number)[:16] for number in range(4)]
    replies = [watch.reply(sha256(b"receipt" + slot), slot=slot) for slot in slots]

    await watch.look_after(watch.rates(key=stranger), *replies[:2])
    report = await watch.look_after(*replies[2:])

    assert [one.kind for one in report.findings] == ["rates", "rates-of-another"]
    assert public_key_of(stranger).hex() in report.findings[1].sentence


async def test_a_finding_stays_and_is_fresh_once(watch: Watch) -> None:
    first = await watch.look_after(watch.void(), watch.void())
    second = await watch.look()

    assert len(first.fresh) == len(second.findings) == 1
    assert second.fresh == ()
    assert not second.is_well


async def test_a_creators_order_is_kept_to(watch: Watch) -> None:
    stage = watch.rig.stage
    manifest = stage.roster.all()[0].manifest
    order = replace(ORDER, twin=manifest.twin, log=LOG.name)
    at = await log_order(watch.rig, manifest, order, StageCreators().signing_key(MIRA.slug))

    cut = await watch.look_after(watch.reply(), watch.outcome(Outcome.REFUNDED))
    paid = await watch.look_after(
        watch.reply(sha256(b"b"), slot=sha256(b"b")[:16]),
        watch.outcome(Outcome.DELIVERED, sha256(b"b")),
    )

    assert order.action is OrderAction.PAUSE
    assert [one.kind for one in cut.findings] == ["after-order"]
    assert cut.is_well  # it was cut off and is not paid
    assert [one.kind for one in paid.faults] == ["paid-after-order"]
    assert f"creator's order at leaf {at} had stopped the twin" in paid.faults[0].sentence


async def test_a_version_that_was_revoked_is_kept_to(watch: Watch) -> None:
    live = watch.rig.stage.roster.all()[0]
    order = replace(
        ORDER,
        twin=live.manifest.twin,
        log=LOG.name,
        action=OrderAction.REVOKE,
        manifest=live.manifest_hash,
    )
    before = await watch.look_after(watch.reply(), watch.outcome(Outcome.DELIVERED))
    key = StageCreators().signing_key(MIRA.slug)
    at = await log_order(watch.rig, live.manifest, order, key)

    cut = await watch.look_after(watch.reply(sha256(b"a"), slot=sha256(b"a")[:16]))
    paid = await watch.look_after(watch.outcome(Outcome.DELIVERED, sha256(b"a")))

    assert before.is_well
    assert [one.kind for one in cut.findings] == ["after-order"]
    assert f"order at leaf {at} had stopped this version of it" in cut.findings[0].sentence
    assert cut.is_well
    assert [one.kind for one in paid.faults] == ["paid-after-order"]


async def test_an_order_about_a_version_that_nobody_logged_is_found(watch: Watch) -> None:
    manifest = watch.rig.stage.roster.all()[0].manifest
    order = replace(
        ORDER, twin=manifest.twin, log=LOG.name, action=OrderAction.REVOKE, manifest=bytes(32)
    )
    await log_order(watch.rig, manifest, order, StageCreators().signing_key(MIRA.slug))

    report = await watch.look_after()

    assert [one.kind for one in report.findings] == ["bad-order"]
    assert "the version that it revokes was not logged before" in report.findings[0].sentence


async def test_verdicts_are_counted_and_checked_where_they_are_published(watch: Watch) -> None:
    sample = Sample(LOG.name, 1, bytes(32), "0.5")
    statement = VerdictStatement(RECEIPT, AuditVerdict.EXACT, sample, "llama.cpp 1").encode()
    envelope = sign_envelope(VERDICT_TYPE, statement, fixed_key("auditor"))
    leaf = VerdictLeaf(envelope.digest, RECEIPT, AuditVerdict.EXACT).encode()
    other = VerdictLeaf(envelope.digest, RECEIPT, AuditVerdict.UNDECIDED).encode()
    watch.remote.bodies_of[leaf] = watch.remote.bodies_of[other] = encode_envelope(envelope)

    well = await watch.look_after(
        leaf, VerdictLeaf(bytes(32), RECEIPT, AuditVerdict.EXACT).encode()
    )
    wrong = await watch.look_after(other)

    assert well.is_well
    assert (well.counts["verdicts"], well.counts["verdict exact"]) == (2, 2)
    assert [one.kind for one in wrong.faults] == ["bad-statement"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("signer", "the twin's creator has not signed it"),
        ("number", "it is number 3, and the twin's next is 1"),
        ("twin", "its twin has no manifest in this log"),
        ("log", "it was signed for the log other.example/log"),
    ],
)
async def test_an_order_that_is_not_the_creators_next_is_found(
    watch: Watch, wrong: str, sentence: str
) -> None:
    manifest = watch.rig.stage.roster.all()[0].manifest
    order = replace(ORDER, twin=manifest.twin, log=LOG.name, number=1)
    key = fixed_key("a stranger") if wrong == "signer" else StageCreators().signing_key(MIRA.slug)
    changes: dict[str, dict[str, object]] = {
        "number": {"number": 3},
        "twin": {"twin": sha256(b"nobody")},
        "log": {"log": "other.example/log"},
    }
    order = replace(order, **changes.get(wrong, {}))  # type: ignore[arg-type]
    await log_order(watch.rig, manifest, order, key)
    await watch.rig.sign()

    report = await watch.look()

    (found,) = report.findings
    assert found.kind == "bad-order"
    assert sentence in found.sentence


async def test_a_manifest_that_its_creator_did_not_sign_is_found(watch: Watch) -> None:
    async with watch.rig.database.transaction() as connection:
        await connection.execute("DROP TRIGGER manifests_no_update")
        await connection.execute("UPDATE manifests SET signature = ?", ("0x" + "11" * 64 + "1b",))

    report = await watch.look()

    assert [one.kind for one in report.findings] == ["bad-manifest"]


async def test_leaves_that_are_not_the_trees_are_found(watch: Watch) -> None:
    await watch.rig.append([watch.reply(), watch.void(slot=sha256(b"v")[:16])])
    head = await watch.rig.sign()
    true = await watch.rig.reader.leaves(0, head.size)
    watch.remote.lies["entries 000.p/3"] = encode_bundle([true[0], true[2], true[1]])

    report = await watch.look()

    assert [one.kind for one in report.findings] == ["bad-entries"]
    assert "leaves 0 to 2 that are not those of the tree" in report.findings[0].sentence
    assert report.read == 0


@pytest.mark.parametrize("bundle", [b"", b"\0", bytes(3000)])
async def test_a_bundle_that_cannot_be_read_is_found(watch: Watch, bundle: bytes) -> None:
    watch.remote.lies["entries 000.p/1"] = bundle

    report = await watch.look()

    assert [one.kind for one in report.findings] == ["bad-entries"]


async def test_a_head_of_another_key_is_found(watch: Watch) -> None:
    text = Checkpoint(LOG.name, 1, bytes(32)).encode()
    watch.remote.note = sign_note(text, LOG.name, fixed_key("a stranger"))

    report = await watch.look()

    assert [one.kind for one in report.findings] == ["bad-checkpoint"]


async def test_a_second_head_of_one_size_is_a_fork(watch: Watch) -> None:
    await watch.look_after(watch.reply())
    text = Checkpoint(LOG.name, 2, bytes(32)).encode()
    watch.remote.note = sign_note(text, LOG.name, LOG_KEY)

    report = await watch.look()

    (found,) = report.findings
    assert found.kind == "fork"
    assert "two histories" in found.sentence
    assert found.evidence.count(f"— {LOG.name} ") == 2


async def test_a_log_that_was_continued_from_an_old_copy_is_a_fork(
    watch: Watch, tmp_path: Path
) -> None:
    await watch.look_after(watch.reply(), watch.outcome(Outcome.DELIVERED))
    async with log_rig(tmp_path / "copy") as other:
        await other.stage.open()
        await other.append([watch.void(slot=sha256(b"%d" % n)[:16]) for n in range(300)])
        await other.sign()
        watch.remote = NearLog(other.public)

        report = await watch.look()

    (found,) = report.findings
    assert found.kind == "fork"
    assert (report.size, report.read) == (3, 3)  # it stays with what it saw first


class _Tileless(NearLog):
    """A log that has no tile of hashes for anybody, or whose host is away."""

    is_away = False

    async def tile(self, tile: Tile) -> bytes | None:
        self.asked.append(f"tile {tile.level} {tile.position}")
        if self.is_away:
            raise TransientError("the host is away")
        return None


async def test_a_fork_whose_tiles_are_hidden_leaves_both_heads_and_is_no_fault_yet(
    watch: Watch, tmp_path: Path
) -> None:
    await watch.look_after(watch.reply())
    honest = watch.remote
    async with log_rig(tmp_path / "copy") as other:
        await other.stage.open()
        watch.remote = _Tileless(other.public)
        for number in range(2):
            await other.append([watch.void(slot=sha256(b"%d" % n)[:16]) for n in range(300)])
            head = await other.sign()
            for _ in range(2):
                with pytest.raises(UnservedError, match="does not serve tile"):
                    await watch.look()
            async with watch.state.transaction() as tx:
                found = await tx.findings()

            # Each head that is not joined, once: the first may be late, and the second a fork.
            assert [one.kind for one in found] == ["unserved"] * (number + 1)
            assert head.note in found[-1].evidence
            assert found[-1].evidence.count(f"— {LOG.name} ") == 2
    watch.remote = honest

    report = await watch.look()

    assert report.is_well
    assert len(report.findings) == 2


@pytest.mark.parametrize("is_older", [False, True])
async def test_a_host_that_is_away_is_no_finding(watch: Watch, *, is_older: bool) -> None:
    old = (await watch.rig.sign()).note
    await watch.look_after(watch.reply())
    await watch.rig.append([watch.void(slot=sha256(b"v")[:16])])
    await watch.rig.sign()
    watch.remote = _Tileless(watch.rig.public, note=old if is_older else None)
    watch.remote.is_away = True

    with pytest.raises(TransientError, match="the host is away"):
        await watch.look()
    async with watch.state.transaction() as tx:
        assert await tx.findings() == []


async def test_a_log_that_lost_leaves_is_found(watch: Watch, tmp_path: Path) -> None:
    await watch.look_after(*[watch.void(slot=sha256(b"%d" % n)[:16]) for n in range(300)])
    async with log_rig(tmp_path / "copy") as other:
        await other.stage.open()
        await other.sign()
        watch.remote = NearLog(other.public)

        report = await watch.look()

    assert [one.kind for one in report.findings] == ["shrunk"]
    assert "leaves are gone" in report.findings[0].sentence


async def test_an_older_head_of_the_same_history_is_no_fault(watch: Watch) -> None:
    old = (await watch.rig.sign()).note
    await watch.look_after(watch.reply())
    watch.remote.note = old

    report = await watch.look()

    assert report.is_well
    assert report.size == 2


async def test_a_log_out_of_reach_is_no_fault_and_nothing_is_lost(watch: Watch) -> None:
    await watch.look()
    await watch.rig.append([watch.void(slot=sha256(b"%d" % n)[:16]) for n in range(300)])
    await watch.rig.sign()
    watch.remote.lies["entries 001.p/45"] = None
    with pytest.raises(TransientError, match=r"001\.p/45"):
        await watch.look()
    watch.remote.lies = {}

    report = await watch.look()

    assert report.is_well
    assert report.read == 301


async def test_a_long_log_is_read_in_steps_that_each_stay(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.transparency.fetching.STEP_TILES", 1)
    leaves = [watch.void(slot=sha256(b"%d" % n)[:16]) for n in range(1000)]
    await watch.rig.append(leaves)
    await watch.rig.sign()
    watch.remote.lies["entries 002"] = None
    with pytest.raises(TransientError):
        await watch.look()
    watch.remote.lies = {}
    watch.remote.asked.clear()

    report = await watch.look()

    assert (report.read, report.is_well) == (1001, True)
    assert "entries 001" not in watch.remote.asked


async def test_what_was_found_before_a_look_ended_early_is_fresh_in_the_next_report(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.transparency.fetching.STEP_TILES", 1)
    monitor = Monitor(log=LOG, remote=watch.remote, state=watch.state, policy=NOBODY)
    await watch.rig.append([watch.void(), watch.void()])
    await watch.rig.append([watch.void(slot=sha256(b"%d" % n)[:16]) for n in range(300)])
    await watch.rig.sign()
    watch.remote.lies["entries 001.p/47"] = None
    with pytest.raises(TransientError, match=r"001\.p/47"):
        await monitor.look()
    watch.remote.lies = {}

    reports = [await monitor.look() for _ in range(2)]

    assert [[one.kind for one in report.fresh] for report in reports] == [["void-twice"], []]


async def test_an_empty_log_is_waited_for(watch: Watch, tmp_path: Path) -> None:
    async with log_rig(tmp_path / "empty") as empty:
        watch.remote = NearLog(empty.public)

        with pytest.raises(TransientError, match="There is no checkpoint at this address"):
            await watch.look()


async def test_the_memory_of_another_log_is_refused(watch: Watch) -> None:
    await watch.look()
    other = Monitor(
        log=replace(LOG, name="other.example/log"),
        remote=watch.remote,
        state=watch.state,
        policy=NOBODY,
    )

    with pytest.raises(ConfigurationError, match="another log"):
        await other.look()


async def test_missing_and_false_cosignatures_are_named(watch: Watch) -> None:
    seeds = [fixed_key("a"), fixed_key("b")]
    keys = [WitnessKey(f"{n}.example", public_key_of(s)) for n, s in zip("ab", seeds, strict=True)]
    head = await watch.rig.sign()
    text = head.note.split("\n\n")[0] + "\n"
    watch.policy = WitnessPolicy(2, tuple(keys))
    watch.remote.note = (
        head.note
        + cosign(text, "a.example", seeds[0], 5).line
        + cosign("other\n", "b.example", seeds[1], 5).line
    )

    report = await watch.look()

    assert [one.witness.name for one in report.cosigned.cosignatures] == ["a.example"]
    assert report.cosigned.missing == ("b.example",)
    assert report.cosigned.false == ("the cosignature by b.example is false",)
    assert not report.is_well


class _Anchored(MemoryChain):
    """A chain that names one head."""

    def __init__(self, size: int, root: bytes) -> None:
        super().__init__()
        self._named = Commitment(3, bytes(32), 0, root, size, bytes(32))

    async def contract(self, *, finality: Finality = 1) -> ContractState:
        del finality  # it never changes
        return ContractState(self._named, 0, bytes(32))


async def test_heads_on_the_chain_are_compared(watch: Watch) -> None:
    early = await watch.rig.sign()
    await watch.look_after(watch.reply())
    said = []
    for size, root in ((0, bytes(32)), (1, early.root), (9, bytes(32)), (1, bytes(32))):
        watch.chain = _Anchored(size, root)
        said.append(await watch.look())

    assert [one.chain for one in said[:3]] == [
        "Nothing was committed on the chain yet.",
        "Epoch 3 on the chain names 1 leaves: the same log.",
        "Epoch 3 on the chain names 9 leaves, and the log has shown 2 so far.",
    ]
    assert [one.is_well for one in said] == [True, True, True, False]
    assert "that is not this log" in said[-1].chain


@pytest.mark.parametrize("leaves", [1, 2])
async def test_a_chain_that_is_away_does_not_hide_what_the_log_shows(
    watch: Watch, leaves: int
) -> None:
    watch.chain = MemoryChain(available=False)

    report = await watch.look_after(*[watch.void()] * leaves)

    assert report.chain.startswith("The chain could not be asked: ")
    assert (report.is_whole, report.is_well) == (False, False)
    assert report.is_wrong == (leaves == 2)
    assert [one.kind for one in report.fresh] == ["void-twice"] * (leaves - 1)


async def test_a_commitment_that_the_log_does_not_lead_to_now_is_said_so(watch: Watch) -> None:
    early = await watch.rig.sign()
    await watch.look_after(watch.reply())
    watch.remote = _Tileless(watch.rig.public)
    watch.chain = _Anchored(1, early.root)

    report = await watch.look()

    assert report.chain.startswith("Epoch 3 on the chain could not be compared with the log: ")
    assert (report.findings, report.is_whole) == ((), False)
