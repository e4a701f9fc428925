"""Which keys this service holds, and what each is for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bot.crypto.ed25519 import public_key_of
from bot.crypto.signed_note import VerifierKey
from bot.receipts.log import CheckpointSigner

ORIGIN = "twinproof.local/log"


class SampleCreators:
    """Keys of the sample creators: the demo plays their part, with wallets of its own."""

    def __init__(self, folder: Path) -> None:
        from adapters.files.keyring import Keyring

        self._keys = Keyring(folder)

    def signing_key(self, slug: str) -> bytes:
        """Return the private key that signs a sample creator's manifests."""
        return self._keys.load_or_create(f"{slug}-signing")

    def payout_key(self, slug: str) -> bytes:
        """Return the private key of the address that receives the fees."""
        return self._keys.load_or_create(f"{slug}-payout")


@dataclass(frozen=True, slots=True)
class ServiceKeys:
    """The operator's private keys, 32 bytes each; one key, one purpose.

    Attributes:
        receipts: Ed25519; signs receipts and outcomes.
        vrf: seeds.
        log: Ed25519; signs heads of the log.
        settler: secp256k1; commits epochs.
        relayer: secp256k1; relays claims.
        treasury: secp256k1; holds the demo's tokens.
        secrets: AES-256; encrypts secrets in the database.
        erasures: HMAC-SHA-256; names those who were forgotten.
    """

    receipts: bytes
    vrf: bytes
    log: bytes
    settler: bytes
    relayer: bytes
    treasury: bytes
    secrets: bytes
    erasures: bytes
    creators: SampleCreators

    @classmethod
    def load(cls, folder: Path, *, fresh: bool) -> Self:
        """Read the keys; in a fresh folder make those that do not exist yet.

        Args:
            folder: where they are kept.
            fresh: there is no book yet. All keys are durable before a book is begun, so one that
                is missing beside a book was lost.

        Raises:
            ConfigurationError: a key file is damaged, or missing beside a book.
        """
        from adapters.files.keyring import Keyring

        keys = Keyring(folder)
        load = keys.load_or_create if fresh else keys.load
        return cls(
            receipts=load("receipts"),
            vrf=load("vrf"),
            log=load("log"),
            settler=load("settler"),
            relayer=load("relayer"),
            treasury=load("treasury"),
            secrets=load("secrets"),
            erasures=load("erasures"),
            creators=SampleCreators(folder / "creators"),
        )

    @property
    def log_verifier(self) -> VerifierKey:
        """The log's public name and key; the name holds the key's beginning, so it is unique."""
        public = public_key_of(self.log)
        return VerifierKey(f"{ORIGIN}/{public.hex()[:16]}", public)

    @property
    def log_signer(self) -> CheckpointSigner:
        """What signs the log's heads."""
        return CheckpointSigner(origin=self.log_verifier.name, key=self.log)
