"""Where every error of web3 and its transports becomes one of ours; nothing else leaves."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from web3.exceptions import (
    BadFunctionCallOutput,
    ContractLogicError,
    ProviderConnectionError,
    TooManyRequests,
    Web3Exception,
    Web3RPCError,
)

from bot.domain.errors import ChainUnavailableError, ConfigurationError, OutcomeUnknownError
from bot.domain.transactions import Refusal
from bot.ports.chain import Broadcast

_BUSY_RETRY_S = 15.0
_URL = re.compile(r"(?:https?|wss?)://[^\s'\")]+")

# No answer, or one that is no JSON-RPC: a proxy's error page, a cut connection, bytes of nobody.
_SILENCE = (
    Web3Exception,
    aiohttp.ClientError,
    json.JSONDecodeError,
    UnicodeDecodeError,
    OSError,
    TimeoutError,
)

# An answer that is JSON-RPC and still none: a wrong type, a missing field, digits of nobody. web3
# and eth-abi let these through as they come.
_NONSENSE = (TypeError, ValueError, LookupError, AttributeError, OverflowError)

# What nodes say when they have the bytes already: geth, anvil, Erigon and Nethermind.
_KNOWN = ("already known", "already imported", "known transaction", "alreadyknown")
_NONCE_USED = ("nonce too low", "nonce is too low", "oldnonce")
# What they say when dearer bytes would be taken: below the base fee, below their own least tip, or
# no dearer than what they have with this nonce. So it is for a gas limit that a false estimate has
# made too low: the next attempt is rehearsed anew.
_TOO_CHEAP = (
    "underpriced",
    "less than block base fee",
    "feetoolow",
    "fee too low",
    "price too low",
    "intrinsic gas",
)
# What they say when the bytes may be taken later, or when the account must be funded first.
_REFUSED = (
    "nonce too high",
    "insufficient funds",
    "gas required exceeds",
    "gas limit",
    "txpool is full",
)


@contextmanager
def reading() -> Iterator[None]:
    """Map the errors of a call that changes nothing.

    Raises:
        ChainUnavailableError: no answer, or one that makes no sense.
        ConfigurationError: the contract does not answer like ours.
    """
    try:
        yield
    except (BadFunctionCallOutput, ContractLogicError) as error:
        raise ConfigurationError(f"The contract does not answer as ours would: {error}") from error
    except TooManyRequests as error:
        raise ChainUnavailableError(_text(error), retry_after_s=_BUSY_RETRY_S) from error
    except _SILENCE as error:
        raise ChainUnavailableError(_text(error)) from error
    except _NONSENSE as error:
        raise ChainUnavailableError(f"the node's answer makes no sense ({_text(error)})") from error


@contextmanager
def sending() -> Iterator[None]:
    """Map the errors of a broadcast whose answer was not an answer.

    Raises:
        ChainUnavailableError: the connection was never made.
        OutcomeUnknownError: anything else.
    """
    try:
        yield
    except (aiohttp.ClientConnectorError, ProviderConnectionError, TooManyRequests) as error:
        raise ChainUnavailableError(_text(error)) from error
    except (*_SILENCE, *_NONSENSE) as error:
        raise OutcomeUnknownError(f"the broadcast's outcome is unknown: {_text(error)}") from error


def parse_rejection(error: Web3RPCError) -> Broadcast | Refusal | None:
    """Read a node's answer to a broadcast; None when it is no known rejection."""
    message = str(error).lower()
    if any(phrase in message for phrase in _KNOWN):
        return Broadcast.ACCEPTED
    if any(phrase in message for phrase in _NONCE_USED):
        return Broadcast.NONCE_USED
    if any(phrase in message for phrase in _TOO_CHEAP):
        return Refusal(message, too_cheap=True)
    if any(phrase in message for phrase in _REFUSED):
        return Refusal(message)
    return None


def _text(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"the RPC at {error.host}:{error.port} can't be reached ({type(error).__name__})"
    # A hosted node's address holds its customer's secret, and this text goes into logs.
    return f"{type(error).__name__}: {_URL.sub('(address)', str(error))}"
