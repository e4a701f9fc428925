"""Which keys this service holds, and what each is for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from bot.crypto.dsse import parse_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import VerifierKey
from bot.domain.errors import ConfigurationError
from bot.domain.statements import SealStatement
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
        log: Ed25519; signs heads of the log; of several logs in a row, of the present one.
        settler: secp256k1; commits epochs.
        relayer: secp256k1; relays claims.
        treasury: secp256k1; holds the demo's tokens.
        secrets: AES-256; encrypts secrets in the database.
        erasures: HMAC-SHA-256; names those who were forgotten.
        origin: the log's name; empty for the one that is made of its key.
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
    origin: str = ""

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

    def with_log(self, folder: Path, seals: Sequence[bytes]) -> Self:
        """Return the keys with that of the present log: the one that the last seal names.

        The seals in the book alone say which log goes on: a key file without its seal signs
        nothing, and a sealed log's key is not used again.

        Raises:
            ConfigurationError: the present log's key is missing, or is another one than the seal
                names; or the seal is damaged.
        """
        from adapters.files.keyring import Keyring

        if not seals:
            return self
        try:
            named = SealStatement.parse(parse_envelope(seals[-1]).payload).successor
        except FormatError as error:
            raise ConfigurationError(
                f"The seal of the log before this one can't be read in the database: {error}. Put "
                "back a copy of the database that is whole."
            ) from error
        key = Keyring(folder).load(successor_key(len(seals)))
        if public_key_of(key) != named.public_key:
            raise ConfigurationError(
                f"The key {successor_key(len(seals))}.key in {folder} is not that of the log "
                f"{named.name}: put back the one that `twinproof log continue` made."
            )
        return replace(self, log=key, origin=named.name)

    @property
    def log_verifier(self) -> VerifierKey:
        """The log's public name and key."""
        public = public_key_of(self.log)
        return VerifierKey(self.origin or default_origin(public), public)

    @property
    def log_signer(self) -> CheckpointSigner:
        """What signs the log's heads."""
        return CheckpointSigner(origin=self.log_verifier.name, key=self.log)


def default_origin(public: bytes) -> str:
    """Return a log's name where its operator gives none: it holds the key's beginning."""
    return f"{ORIGIN}/{public.hex()[:16]}"


def successor_key(number: int) -> str:
    """Return the name of the key file of the log after so many seals."""
    return f"log-{number + 1}"
