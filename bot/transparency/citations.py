"""What leaves of manifests, orders, outcomes, voids and verdicts cite, checked against the leaf.

Pure. A manifest gives the monitor the twin's creator; an order is checked against that creator's
signature, so that nobody else can stop a twin, and a stop can't be hidden.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bot.crypto.canonical import parse_canonical
from bot.crypto.dsse import parse_envelope, verify_envelope
from bot.crypto.eip712 import parse_signature, recover_signer
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.hashing import sha256
from bot.crypto.signed_note import VerifierKey
from bot.domain.leaf import (
    ManifestLeaf,
    OrderLeaf,
    OutcomeLeaf,
    RatesLeaf,
    VerdictLeaf,
    VoidLeaf,
    manifest_prefix,
    twin_prefix,
)
from bot.domain.manifest import Manifest, parse_manifest, signing_data
from bot.domain.money import format_nano
from bot.domain.order import OrderAction, TwinOrder, order_data, parse_order
from bot.domain.rates import RATES_TYPE, RateTable
from bot.domain.reading import ObjectReader
from bot.domain.statements import (
    OUTCOME_TYPE,
    VERDICT_TYPE,
    VOID_TYPE,
    OutcomeStatement,
    VerdictStatement,
    VoidStatement,
)
from bot.ports.monitor import SeenRates, SeenTwin, SeenVersion, StoredFinding
from bot.transparency.rules import finding

FALSE = (FormatError, MismatchError)
UNKNOWN_TWIN = SeenTwin(b"", "", ())


@dataclass(frozen=True, slots=True)
class Judged:
    """What a leaf makes of its twin and of one version of it, and what is wrong with it."""

    twin: SeenTwin
    findings: tuple[StoredFinding, ...]
    version: SeenVersion | None = None


def judge_manifest(
    index: int, leaf: ManifestLeaf, body: bytes, *, twin: SeenTwin | None, log: VerifierKey
) -> Judged:
    """Check that a manifest is the cited one, signed by its creator, and for this log."""
    before = twin or UNKNOWN_TWIN
    if not body:
        return Judged(before, (_not_published(index, "a manifest"),))
    try:
        signed, signature = _read_signed(body)
        if sha256(signed) != leaf.manifest:
            raise MismatchError("its hash is another one than the leaf's")
        manifest = parse_manifest(signed)
        _check_manifest(manifest, signature, leaf, log)
    except FALSE as error:
        sentence = f"cites a manifest that is not right: {error}"
        return Judged(before, (finding("bad-manifest", index, sentence),))
    if before.twin and (before.twin, before.creator) != (manifest.twin, manifest.creator):
        sentence = "cites a manifest of another twin or creator under the same tag"
        return Judged(before, (finding("bad-manifest", index, sentence),))
    names = before.names if manifest.name in before.names else (*before.names, manifest.name)
    now = replace(before, twin=manifest.twin, creator=manifest.creator, names=names)
    version = SeenVersion(
        manifest=manifest_prefix(leaf.manifest),
        operator=manifest.signing_key,
        redraws=manifest.filter.redraws,
    )
    if before.revoked:
        sentence = f"cites a new manifest of a twin that its creator revoked at {before.stopped_by}"
        return Judged(now, (finding("manifest-after-revocation", index, sentence),), version)
    return Judged(now, (), version)


def _check_manifest(
    manifest: Manifest, signature: bytes, leaf: ManifestLeaf, log: VerifierKey
) -> None:
    if manifest.twin != manifest.derived_twin or twin_prefix(manifest.twin) != leaf.twin:
        raise MismatchError("its twin is not the leaf's")
    if recover_signer(signing_data(manifest).digest(), signature) != manifest.creator:
        raise MismatchError("its creator has not signed it")
    if manifest.log != log:
        raise MismatchError(f"it was signed for the log {manifest.log.name}")


def judge_order(
    index: int,
    leaf: OrderLeaf,
    body: bytes,
    *,
    twin: SeenTwin | None,
    versions: Sequence[SeenVersion],
    log: VerifierKey,
) -> Judged:
    """Check that an order is the cited one, its twin's next, and signed by the twin's creator."""
    before = twin or UNKNOWN_TWIN
    if not body:
        return Judged(before, (_not_published(index, "an order"),))
    try:
        signed, signature = _read_signed(body)
        if sha256(signed) != leaf.order:
            raise MismatchError("its hash is another one than the leaf's")
        order = parse_order(signed)
        _check_order(order, signature, leaf, before, log)
        version = _revoked(order, versions)
    except FALSE as error:
        sentence = f"cites an order that is not right: {error}"
        return Judged(before, (finding("bad-order", index, sentence),))
    after = replace(before, orders=order.number)
    if order.action is OrderAction.RESUME:
        return Judged(replace(after, stopped_by=None), ())
    if version is not None:
        return Judged(after, (), replace(version, revoked_by=version.revoked_by or index))
    revoked = order.action is OrderAction.REVOKE
    return Judged(replace(after, stopped_by=index, revoked=revoked), ())


def _check_order(
    order: TwinOrder, signature: bytes, leaf: OrderLeaf, twin: SeenTwin, log: VerifierKey
) -> None:
    if twin_prefix(order.twin) != leaf.twin or order.twin != twin.twin:
        raise MismatchError("its twin has no manifest in this log, or is not the leaf's")
    if order.log != log.name:
        raise MismatchError(f"it was signed for the log {order.log}")
    if order.number != twin.orders + 1:
        raise MismatchError(
            f"it is number {order.number}, and the twin's next is {twin.orders + 1}"
        )
    if twin.revoked:
        raise MismatchError("the twin was revoked before")
    signers = (recover_signer(order_data(order, name).digest(), signature) for name in twin.names)
    if twin.creator not in signers:
        raise MismatchError("the twin's creator has not signed it")


def _revoked(order: TwinOrder, versions: Sequence[SeenVersion]) -> SeenVersion | None:
    """Return the version that an order is about; None where it is about the twin."""
    if order.manifest is None:
        return None
    prefix = manifest_prefix(order.manifest)
    found = next((one for one in versions if one.manifest == prefix), None)
    if found is None:
        raise MismatchError("the version that it revokes was not logged before")
    return found


def judge_statement(
    index: int, leaf: OutcomeLeaf | VoidLeaf, body: bytes, operators: Collection[bytes] | None
) -> tuple[StoredFinding, ...]:
    """Check that a statement is published, says what its leaf says, and is the operator's.

    Args:
        index: of the leaf.
        leaf: that cites it.
        body: the published envelope.
        operators: keys of whom it may be; None where the leaf is of a reply that is not known,
            which is a fault already.
    """
    if not body:
        return (_not_published(index, "a statement"),)
    try:
        envelope = parse_envelope(body)
        if envelope.digest != leaf.statement:
            raise MismatchError("its hash is another one than the leaf's")
        if operators is not None and envelope.key not in operators:
            raise MismatchError("it is not signed by the operator of this twin")
        kind = OUTCOME_TYPE if isinstance(leaf, OutcomeLeaf) else VOID_TYPE
        verify_envelope(envelope, payload_type=kind, key=envelope.key)
        if not _same(leaf, envelope.payload):
            raise MismatchError("it says something else than the leaf")
    except FALSE as error:
        return (_bad_statement(index, error),)
    return ()


def _same(leaf: OutcomeLeaf | VoidLeaf, payload: bytes) -> bool:
    if isinstance(leaf, OutcomeLeaf):
        outcome = OutcomeStatement.parse(payload)
        return (outcome.receipt, outcome.outcome) == (leaf.receipt, leaf.outcome)
    void = VoidStatement.parse(payload)
    said = (leaf.slot_tag, leaf.attempt, leaf.reason)
    return (void.slot_tag, void.attempt, void.reason) == said


def twin_of_void(body: bytes) -> bytes:
    """Return the first 8 bytes of the twin that a published void is of; empty if it can't be read.

    The leaf does not say it.
    """
    try:
        return twin_prefix(VoidStatement.parse(parse_envelope(body).payload).twin)
    except FormatError:
        return b""


def judge_verdict(index: int, leaf: VerdictLeaf, body: bytes) -> tuple[StoredFinding, ...]:
    """Check an auditor's verdict against its leaf, where the log publishes it.

    Whose word counts is for those to say who read it: here it only must be somebody's.
    """
    if not body:
        return ()
    try:
        envelope = parse_envelope(body)
        if envelope.digest != leaf.statement:
            raise MismatchError("its hash is another one than the leaf's")
        verify_envelope(envelope, payload_type=VERDICT_TYPE, key=envelope.key)
        verdict = VerdictStatement.parse(envelope.payload)
        if (verdict.receipt, verdict.verdict) != (leaf.receipt, leaf.verdict):
            raise MismatchError("it says something else than the leaf")
    except FALSE as error:
        return (_bad_statement(index, error),)
    return ()


def judge_rates(
    index: int, leaf: RatesLeaf, body: bytes
) -> tuple[RateTable | None, tuple[StoredFinding, ...]]:
    """Check that a rate table is published and signed by the operator that it names; tell of it."""
    if not body:
        return None, (_not_published(index, "a rate table"),)
    try:
        envelope = parse_envelope(body)
        if envelope.digest != leaf.statement:
            raise MismatchError("its hash is another one than the leaf's")
        table = RateTable.parse(envelope.payload)
        verify_envelope(envelope, payload_type=RATES_TYPE, key=table.operator)
    except FALSE as error:
        return None, (_bad_statement(index, error),)
    worth = ", ".join(f"{one.unit} {format_nano(one.nano)}" for one in table.rates) or "nothing"
    sentence = (
        f"puts rate table {table.number} in force, in {table.token}: {worth}; fees of bought "
        f"credit are held for {table.held_hours} hours"
    )
    return table, (finding("rates", index, sentence),)


def judge_number(index: int, table: RateTable, before: int) -> tuple[StoredFinding, ...]:
    """Check that an operator's rate tables are numbered without holes."""
    if table.number == before + 1:
        return ()
    sentence = f"is rate table {table.number} of an operator whose next one is {before + 1}"
    return (finding("bad-statement", index, sentence),)


def judge_operator(version: SeenVersion, rates: SeenRates | None) -> tuple[StoredFinding, ...]:
    """Check that the newest rate table is of the operator whom a reply's manifest names.

    A table alone may be of another key: an operator with a new one puts its rates in force before
    creators have signed for it. By a reply after it, one operator answers by another one's rates.
    """
    if rates is None or rates.operator == version.operator:
        return ()
    sentence = (
        f"puts a rate table of the operator {rates.operator.hex()} in force, and replies after it "
        f"are of manifests that name the operator {version.operator.hex()}, whose rates these are "
        "not"
    )
    return (finding("rates-of-another", rates.index, sentence),)


def _bad_statement(index: int, error: Exception) -> StoredFinding:
    return finding("bad-statement", index, f"cites a statement that is not right: {error}")


def _read_signed(body: bytes) -> tuple[bytes, bytes]:
    reader = ObjectReader(parse_canonical(body), "body", "body signature")
    return reader.base64("body"), reader.convert("signature", parse_signature)


def _not_published(index: int, what: str) -> StoredFinding:
    sentence = f"cites {what} that the log does not publish: it can't be checked"
    return finding("not-published", index, sentence)
