"""What the signing page asks of the core: what is to be signed, and here is the signature."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """What the page shows before anything is signed.

    Attributes:
        kind: `publish`, `pause`, `resume` or `revoke`.
        twin_name: display name.
        slug: name of the twin in commands.
        version: that will be published, or is revoked; None for the whole twin.
        summary: what is signed, as (label, value) lines: price, split, model, validity.
        persona_text: what a publication discloses to fans who hold a link; empty for orders.
        changes: diff against the live version; empty for the first one and for orders.
        warnings: sentences that the creator has to have seen.
        signer: EIP-55 address that has to sign; empty where any may (the first publication).
        expires_at: when the request stops working.
        done: how it ended (a sentence); empty while it is open.
    """

    kind: str
    twin_name: str
    slug: str
    version: int | None
    summary: tuple[tuple[str, str], ...]
    persona_text: str
    changes: tuple[str, ...]
    warnings: tuple[str, ...]
    signer: str
    expires_at: datetime
    done: str


@dataclass(frozen=True, slots=True)
class PreparedSignature:
    """What one address has to sign.

    Attributes:
        body: the manifest or order, canonical JSON as text.
        typed_data: argument of a wallet's `eth_signTypedData_v4`.
        digest: the 32 bytes that are signed, `0x…`; the page computes it again from `typed_data`.
    """

    body: str
    typed_data: Mapping[str, object]
    digest: str


class SigningDesk(Protocol):
    """The core's door for the signing page. A token names one request and is a secret.

    Errors that may leave it: `UserError` (say its sentence; the request stays open unless it says
    otherwise), `TransientError`.
    """

    async def look(self, token: str) -> SigningRequest:
        """Return what a request is about.

        Raises:
            UserError: there is none of that token, or it has expired.
        """
        ...

    async def prepare(self, token: str, *, signer: str, payout: str) -> PreparedSignature:
        """Return what an address would sign; may be asked again, with another address.

        Args:
            token: of the request.
            signer: EIP-55 address, as the wallet gives it (any case of letters).
            payout: address that fees are paid to; empty: they accrue until a version names one.
                Ignored for orders.

        Raises:
            UserError: not an address, or the twin belongs to another one.
        """
        ...

    async def submit(self, token: str, *, body: str, signature: str) -> str:
        """Take a signature; return a sentence that says what is in force now.

        Args:
            token: of the request.
            body: exactly what `prepare` gave and the wallet signed.
            signature: `0x` and 130 hexadecimal digits, any case; v 0, 1, 27 or 28.

        Raises:
            UserError: malformed, of another key, of another chain id, of another body, used
                before, or too late.
        """
        ...
