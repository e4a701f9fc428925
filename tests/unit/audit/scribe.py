"""Writes a book by hand, as an honest service would, without the service: every step is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.audit.findings import Findings
from bot.audit.run import Audit
from bot.crypto import eip712, vrf
from bot.domain.fields import Choice, MessagePart, join_parts
from bot.domain.ids import derive_seed, derive_slot, derive_slot_tag
from bot.domain.leaf import ManifestLeaf, OrderLeaf, twin_prefix
from bot.domain.manifest import encode_manifest, signing_data
from bot.domain.money import split_price
from bot.domain.order import TwinOrder, order_data
from bot.domain.payment import Payer, Payment
from bot.domain.persona import encode_persona
from bot.domain.statements import Outcome, VoidReason
from bot.generation.rendering import CommittedTurn, fit_turns, render
from bot.ledger.fees import plan_capture, plan_funding, plan_hold, plan_release
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.inference import Generated
from bot.ports.stores import (
    Intent,
    StoredManifest,
    StoredOrder,
    StoredReply,
    StoreTransaction,
)
from bot.receipts.issue import Issuer, Place, slot_of
from bot.receipts.log import CheckpointSigner, append_leaf
from bot.twins.intents import draw_next
from scripts import vector_parts as parts
from scripts.vector_log import fixed_key
from tests.fakes.epochs import MemoryEpochStore
from tests.fakes.store import MemoryStore

SURFACE = Surface("terminal", "local", "c", "")
MANIFEST = replace(parts.MANIFEST, version=1, previous=None)
START = datetime.fromisoformat("2026-11-20T10:00:00Z")
ISSUER = Issuer(parts.OPERATOR_KEY, fixed_key("build"), "exact")
PERSONA_TOKENS = (100, 101)


@dataclass(slots=True)
class Scribe:
    """A book and the moment at which the next thing happens; every step takes ten seconds."""

    store: MemoryStore = field(default_factory=MemoryStore)
    moment: datetime = START
    entropy: int = 0
    said: int = 0

    def _now(self) -> datetime:
        self.moment += timedelta(seconds=10)
        return self.moment

    async def open(self) -> None:
        """Fund the budget, and publish the twin."""
        digest = signing_data(MANIFEST).digest()
        async with self.store.transaction() as tx:
            funding = plan_funding(10**9, 0)
            assert funding is not None
            await tx.post(funding)
            leaf = ManifestLeaf(MANIFEST.hash, twin_prefix(MANIFEST.twin)).encode()
            await tx.add_manifest(
                StoredManifest(
                    manifest_hash=MANIFEST.hash,
                    twin=MANIFEST.twin,
                    body=encode_manifest(MANIFEST),
                    signature=eip712.encode_signature(
                        eip712.sign_digest(parts.CREATOR_KEY, digest)
                    ),
                    persona=encode_persona(parts.PERSONA),
                    log_index=await append_leaf(tx, leaf),
                )
            )

    async def order(self, order: TwinOrder, *, key: bytes = parts.CREATOR_KEY) -> StoredOrder:
        """Sign, keep and log an order."""
        signature = eip712.sign_digest(key, order_data(order, MANIFEST.name).digest())
        async with self.store.transaction() as tx:
            leaf = OrderLeaf(order.hash, twin_prefix(order.twin)).encode()
            stored = StoredOrder(
                order_hash=order.hash,
                twin=order.twin,
                number=order.number,
                body=order.encode(),
                signature=eip712.encode_signature(signature),
                log_index=await append_leaf(tx, leaf),
            )
            await tx.add_order(stored)
        return stored

    async def ask(
        self,
        *ids: str,
        quoted: Sequence[StoredReply] = (),
        fan: str = "ana",
        start: int | None = None,
    ) -> Intent:
        """Admit the messages of these ids, answered together.

        The chain of turns begins with the first one that is quoted, or where `start` says.
        """
        said = tuple(MessagePart(one, f"text of {one}") for one in ids)
        message = IncomingMessage("mira", SURFACE, fan, ids[0], join_parts(said))
        proof = vrf.prove(parts.VRF_KEY, derive_slot(MANIFEST.twin, slot_of(message)))
        beta = vrf.proof_to_hash(proof)
        tag = derive_slot_tag(beta)
        fitted = fit_turns(
            MANIFEST.rendering,
            persona=PERSONA_TOKENS,
            turns=[CommittedTurn(r.fan_tokens, r.output_tokens, r.receipt_hash) for r in quoted],
            message=tuple(range(30, 30 + len(ids))),
        )
        first = quoted[0].turn if quoted else 1
        return await self._admit(
            Intent(
                key=f"{tag.hex()}:0",
                slot_tag=tag,
                attempt=0,
                twin=MANIFEST.twin,
                manifest=MANIFEST.hash,
                conversation=fixed_key(f"conversation of {fan}"),
                message=message,
                spans=fitted.spans,
                context=render(MANIFEST.rendering, fitted.spans),
                prefix_tokens=0,
                vrf_proof=proof,
                seed=derive_seed(beta, MANIFEST.hash, 0),
                opening_key=b"",
                price_nano=MANIFEST.price_nano,
                created_at=START,
                parts=said,
                choice=Choice(first if start is None else start, fitted.older),
                payment=Payment(Payer.SPONSOR),
            )
        )

    async def ask_again(self, intent: Intent, replaced: StoredReply, wish: str) -> Intent:
        """Admit a fan's wish for another reply."""
        attempt = intent.attempt + 1
        beta = vrf.proof_to_hash(intent.vrf_proof)
        return await self._admit(
            replace(
                intent,
                key=f"{intent.slot_tag.hex()}:{attempt}",
                attempt=attempt,
                seed=derive_seed(beta, MANIFEST.hash, attempt),
                regenerate=wish,
                replaces=replaced.receipt_hash,
            )
        )

    async def draw_next(self, intent: Intent) -> Intent:
        """Reject an attempt, and admit the next one."""
        await self.void(intent, VoidReason.REJECTED)
        return await self._admit(draw_next(intent))

    async def _admit(self, intent: Intent) -> Intent:
        self.entropy += 1
        key = fixed_key(f"opening {self.entropy}")
        drawn = replace(intent, opening_key=key, created_at=self._now())
        async with self.store.transaction() as tx:
            drawn = replace(drawn, log_size=await tx.log_size())
            await tx.add_intent(drawn)
            await tx.post(plan_hold(drawn.key, drawn.price_nano))
        return drawn

    async def void(self, intent: Intent, reason: VoidReason = VoidReason.HALTED) -> None:
        """End an intent without a reply."""
        self._now()
        statement = ISSUER.state_void(intent, reason)
        async with self.store.transaction() as tx:
            await append_leaf(tx, statement.leaf)
            await tx.close_intent(intent.key, "void", void_statement=statement.envelope)
            await tx.post(plan_release(intent.key, intent.price_nano))

    async def reply(
        self,
        intent: Intent,
        *,
        after: StoredReply | None = None,
        finish: str = "end",
        halt: str | None = None,
    ) -> StoredReply:
        """Issue the reply to an intent; it follows the turn of `after`."""
        number = 1 if after is None else after.turn + 1
        self.said += 1
        made = Generated((60, 61, 62 + self.said), f"Rice {intent.attempt}", finish)
        async with self.store.transaction() as tx:
            previous = None if after is None else after.receipt_hash
            place = Place(await tx.next_sequence(intent.twin), number, previous)
            issued = ISSUER.issue(
                intent,
                made,
                manifest=MANIFEST,
                persona=parts.PERSONA,
                place=place,
                moment=intent.created_at,
                halt=halt,
            )
            stored = StoredReply(
                receipt_hash=issued.receipt_hash,
                receipt_id=issued.receipt_id,
                intent=intent.key,
                twin=intent.twin,
                seq=place.seq,
                conversation=intent.conversation,
                turn=number,
                fan_tokens=intent.spans[-1].tokens,
                output_tokens=made.tokens,
                fan_text=intent.message.text,
                text=made.text,
                finish=finish,
                price_nano=intent.price_nano,
                rejected=intent.rejected,
                creator_nano=split_price(intent.price_nano, MANIFEST.creator_bp)[0],
                opening_key=intent.opening_key,
                envelope=issued.envelope,
                sealed=issued.sealed,
                log_index=await append_leaf(tx, issued.leaf),
                attempt=intent.attempt,
                halt=halt,
            )
            await tx.add_reply(stored)
            await tx.close_intent(intent.key, "done")
        return stored

    async def decide(self, reply: StoredReply, outcome: Outcome) -> None:
        """Record what became of a reply; a second time, what followed its delivery."""
        self._now()
        statement = ISSUER.state_outcome(reply.receipt_hash, outcome)
        async with self.store.transaction() as tx:
            now = await tx.find_reply(reply.receipt_id)
            assert now is not None
            first = now.outcome is None
            write = tx.set_outcome if first else tx.set_reversal
            await write(
                reply.receipt_hash,
                outcome=outcome.word,
                statement=statement.envelope,
                log_index=await append_leaf(tx, statement.leaf),
            )
            if first:
                await _settle_hold(tx, reply, outcome)

    def forget(self, reply: StoredReply) -> None:
        """Erase a person's reply and its intent."""
        tables = self.store.tables
        intent = tables.intents[reply.intent]
        tables.intents[intent.key] = replace(
            intent,
            conversation=reply.receipt_hash,
            message=IncomingMessage("mira", Surface("terminal", "", "", ""), "", "", ""),
            parts=(),
            spans=(),
            context=(),
            opening_key=b"",
            regenerate=None,
            replaces=None,
        )
        tables.replies[reply.receipt_hash] = replace(
            tables.replies[reply.receipt_hash],
            conversation=reply.receipt_hash,
            fan_tokens=(),
            output_tokens=(),
            fan_text="",
            text="",
            opening_key=b"",
            sealed=b"",
            halt=None,
        )

    async def publish(self) -> None:
        """Sign a head over everything."""
        await CheckpointSigner(parts.ORIGIN, parts.LOG_KEY).publish(self.store)

    async def audit(self) -> Findings:
        """Audit the book."""
        return await Audit(
            reader=self.store,
            epochs=MemoryEpochStore(),
            chain=None,
            log=parts.LOG,
            signing_key=MANIFEST.signing_key,
        ).run()


async def _settle_hold(tx: StoreTransaction, reply: StoredReply, outcome: Outcome) -> None:
    if outcome is Outcome.DELIVERED:
        terms = {"price_nano": reply.price_nano, "creator_nano": reply.creator_nano}
        await tx.post(plan_capture(reply.intent, reply.twin, payer=Payer.SPONSOR, **terms))
    else:
        await tx.post(plan_release(reply.intent, reply.price_nano))
