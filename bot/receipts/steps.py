"""The numbered steps of verification, and how a failed one is raised (formats.md section 11)."""

from collections.abc import Iterator
from contextlib import contextmanager

from bot.crypto.errors import FormatError, MismatchError
from bot.domain.errors import MalformedProofError, VerificationError

TITLES = {
    1: "Bundle",
    2: "Receipt signature",
    3: "Manifest",
    4: "Terms",
    5: "Openings",
    6: "Seed",
    7: "Context",
    8: "Log",
    9: "Outcome and revocation",
    10: "Trust policy",
}


@contextmanager
def evidence(step: int) -> Iterator[None]:
    """Name the step in whatever is wrong with the evidence inside the block.

    Raises:
        MalformedProofError: the bytes are not what the format says.
        VerificationError: they are, and something that they say is false.
    """
    try:
        yield
    except FormatError as error:
        raise MalformedProofError(step, str(error)) from error
    except MismatchError as error:
        raise VerificationError(step, str(error)) from error


def require(*, step: int, that: bool, otherwise: str) -> None:
    """Raise a VerificationError with the sentence `otherwise` unless `that` is true."""
    if not that:
        raise VerificationError(step, otherwise)
