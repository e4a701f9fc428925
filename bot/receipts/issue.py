"""Issue: from an intent and what the model made of it to a signed receipt, sealed openings, a leaf.

Pure: the caller brings the sequence number, the time and the keys, and stores the result in one
transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from bot.crypto.dsse import encode_envelope, encode_pae, sign_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.hashing import sha256
from bot.domain.fields import Counts, Fields, Finish, ReplyEvent
from bot.domain.ids import SlotInput, receipt_id_of, receipt_tag_of
from bot.domain.leaf import OutcomeLeaf, ReplyLeaf, VoidLeaf, manifest_prefix, twin_prefix
from bot.domain.manifest import Manifest
from bot.domain.payment import split_fee
from bot.domain.persona import Persona
from bot.domain.receipt import (
    PAYLOAD_TYPE,
    Receipt,
    ReceiptModel,
    ReceiptPrice,
    encode_receipt,
)
from bot.domain.salted import root_of_salted, salt_fields
from bot.domain.statements import (
    OUTCOME_TYPE,
    VOID_TYPE,
    Outcome,
    OutcomeStatement,
    VoidReason,
    VoidStatement,
)
from bot.ports.chat import IncomingMessage
from bot.ports.inference import Generated
from bot.ports.stores import Intent
from bot.receipts.openings import seal_salted


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reply stands: in its twin's sequence and in its conversation.

    Attributes:
        seq: from 1; allocated in the transaction that stores the receipt.
        turn: from 1.
        previous: receipt hash of the conversation's previous turn.
    """

    seq: int
    turn: int
    previous: bytes | None


@dataclass(frozen=True, slots=True)
class IssuedReceipt:
    """A signed receipt, ready to be stored with its leaf."""

    receipt: Receipt
    receipt_hash: bytes
    receipt_id: str
    envelope: bytes
    sealed: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A signed outcome or void statement, ready to be stored with its leaf."""

    envelope: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs what the operator states.

    Attributes:
        signing_key: Ed25519 private key, 32 bytes.
        build: SHA-256 of the engine's shared libraries.
        verdict: `exact` or `tolerant`, from the startup self-check.
    """

    signing_key: bytes
    build: bytes
    verdict: str

    def issue(
        self,
        intent: Intent,
        generated: Generated,
        *,
        manifest: Manifest,
        persona: Persona,
        place: Place,
        moment: datetime,
        halt: str | None = None,
    ) -> IssuedReceipt:
        """Build and sign the receipt of one reply, or of a fixed answer, as the intent says.

        Args:
            intent: what was decided.
            generated: what the model made of it, or the rule said.
            manifest: the terms.
            persona: the one that the manifest names.
            place: in the twin's sequence and in the conversation.
            moment: when the message was admitted.
            halt: id of what ended it early; set exactly if it finished `stopped` or `cut`.

        Raises:
            FormatError: the parts do not fit the message, or the halt the finish.
        """
        fields = _fields_of(intent, generated, place, halt)
        salted = salt_fields(intent.opening_key, fields)
        root = root_of_salted(salted)
        receipt = self._receipt(intent, manifest, place.seq, root, moment)
        body = encode_receipt(receipt)
        receipt_hash = sha256(encode_pae(PAYLOAD_TYPE, body))
        leaf = ReplyLeaf(
            receipt_tag_of(receipt_hash),
            intent.slot_tag,
            intent.attempt,
            intent.rejected,
            twin_prefix(intent.twin),
            manifest_prefix(intent.manifest),
        )
        return IssuedReceipt(
            receipt=receipt,
            receipt_hash=receipt_hash,
            receipt_id=receipt_id_of(receipt_hash),
            envelope=encode_envelope(sign_envelope(PAYLOAD_TYPE, body, self.signing_key)),
            sealed=seal_salted(intent.opening_key, receipt_hash, persona=persona, fields=salted),
            leaf=leaf.encode(),
        )

    def _receipt(
        self, intent: Intent, manifest: Manifest, seq: int, root: bytes, moment: datetime
    ) -> Receipt:
        payer = intent.payment.payer
        creator_nano, operator_nano = split_fee(payer, intent.price_nano, manifest.creator_bp)
        return Receipt(
            twin=intent.twin,
            manifest=intent.manifest,
            seq=seq,
            attempt=intent.attempt,
            numbering=slot_of(intent.message).numbering,
            model=ReceiptModel(manifest.model.gguf, manifest.library, self.build, self.verdict),
            slot_tag=intent.slot_tag,
            fields_root=root,
            price=ReceiptPrice(
                intent.price_nano,
                manifest.price_token,
                creator_nano,
                operator_nano,
                manifest.free_daily,
            ),
            operator=public_key_of(self.signing_key),
            time=moment.replace(microsecond=0),
            payment=intent.payment,
            rule=intent.rule,
        )

    def state_outcome(self, receipt_hash: bytes, outcome: Outcome) -> SignedStatement:
        """Sign what became of a reply."""
        tag = receipt_tag_of(receipt_hash)
        body = OutcomeStatement(tag, outcome).encode()
        cited = sha256(encode_pae(OUTCOME_TYPE, body))
        return SignedStatement(
            envelope=encode_envelope(sign_envelope(OUTCOME_TYPE, body, self.signing_key)),
            leaf=OutcomeLeaf(cited, tag, outcome).encode(),
        )

    def state_void(self, intent: Intent, reason: VoidReason) -> SignedStatement:
        """Sign that an intent ends without a reply."""
        statement = VoidStatement(
            twin=intent.twin,
            slot_tag=intent.slot_tag,
            attempt=intent.attempt,
            reason=reason,
        )
        body = statement.encode()
        cited = sha256(encode_pae(VOID_TYPE, body))
        return SignedStatement(
            envelope=encode_envelope(sign_envelope(VOID_TYPE, body, self.signing_key)),
            leaf=VoidLeaf(cited, intent.slot_tag, intent.attempt, reason).encode(),
        )


def slot_of(message: IncomingMessage) -> SlotInput:
    """Return the platform's identifiers of a message."""
    surface = message.surface
    return SlotInput(
        platform=surface.platform,
        bot=surface.bot,
        chat=surface.chat,
        thread=surface.thread,
        message=message.message_id,
    )


def _fields_of(intent: Intent, generated: Generated, place: Place, halt: str | None) -> Fields:
    return Fields(
        slot=slot_of(intent.message),
        conversation=intent.conversation,
        turn=place.turn,
        previous=place.previous,
        parts=intent.parts,
        spans=intent.spans,
        context=intent.context,
        output=generated.tokens,
        finish=Finish(generated.finish),
        text=generated.text,
        choice=intent.choice,
        counts=Counts(len(intent.context), len(generated.tokens)),
        vrf_proof=intent.vrf_proof,
        rejected=intent.rejected,
        event=ReplyEvent(intent.regenerate, intent.replaces, halt),
    )
