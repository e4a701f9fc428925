"""Small stored values for tests of the store: whatever is not named is filled in."""

from dataclasses import replace

from bot.crypto.hashing import sha256
from bot.domain.fields import MessagePart, Span, SpanKind
from bot.domain.payment import Payer, Payment
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.stores import Intent, StoredManifest, StoredReply
from tests.fakes.clock import START

SURFACE = Surface(platform="terminal", bot="local", chat="c", thread="")
TWIN, OTHER_TWIN = sha256(b"twin"), sha256(b"other twin")
CONVERSATION = sha256(b"conversation")
MANIFEST = StoredManifest(
    manifest_hash=sha256(b"manifest"),
    twin=TWIN,
    body=b"{}",
    signature="0x00",
    persona=b"{}",
    log_index=0,
)


def make_intent(number: int, *, fan: str = "ana", **changes: object) -> Intent:
    """Return an open intent with a key of its own."""
    tag = sha256(b"slot %d" % number)[:16]
    intent = Intent(
        key=f"{tag.hex()}:0",
        slot_tag=tag,
        attempt=0,
        twin=TWIN,
        manifest=MANIFEST.manifest_hash,
        conversation=CONVERSATION,
        message=IncomingMessage(
            "mira", SURFACE, fan, f"m{number}", "hi 🐙\nthere", server="harbour"
        ),
        spans=(
            Span(SpanKind.PERSONA, (1, 2)),
            Span(SpanKind.FAN, (3,), sha256(b"r")),
            Span(SpanKind.TWIN, (), sha256(b"r")),
            Span(SpanKind.MESSAGE, (4, 5)),
        ),
        context=(1, 2, 3, 4, 5),
        prefix_tokens=2,
        vrf_proof=bytes(80),
        seed=sha256(b"seed"),
        opening_key=sha256(b"key"),
        price_nano=2_000_000,
        created_at=START,
        parts=(MessagePart(f"m{number}", "hi 🐙"), MessagePart(f"m{number} next", "there")),
        payment=Payment(Payer.SPONSOR),
    )
    return replace(intent, **changes)  # type: ignore[arg-type]


def make_again(number: int, *, attempt: int = 1) -> Intent:
    """Return an open intent for another reply to a message."""
    first = make_intent(number)
    return replace(
        first,
        key=f"{first.slot_tag.hex()}:{attempt}",
        attempt=attempt,
        regenerate=f"press {attempt}",
        replaces=sha256(first.key.encode()),
    )


def make_reply(intent: Intent, *, seq: int, turn: int, **changes: object) -> StoredReply:
    """Return the reply to an intent, undecided."""
    digest = sha256(intent.key.encode())
    reply = StoredReply(
        receipt_hash=digest,
        receipt_id=digest.hex()[:22],
        intent=intent.key,
        twin=intent.twin,
        seq=seq,
        conversation=intent.conversation,
        turn=turn,
        fan_tokens=(4, 5),
        output_tokens=(6, 7),
        fan_text="hi",
        text="hello 🐙",
        finish="end",
        price_nano=intent.price_nano,
        creator_nano=1_700_000,
        opening_key=intent.opening_key,
        envelope=b"{}",
        sealed=b"\x00\xff",
        log_index=seq,
    )
    return replace(reply, **changes)  # type: ignore[arg-type]
