"""Binding a twin in the registry: the request that a creator signs, and relaying it."""

import re
from dataclasses import dataclass
from pathlib import Path

from bot.crypto.errors import FormatError
from bot.domain.bindings import BindingRequest, binding_data, parse_request
from bot.domain.errors import ConfigurationError, UserError
from bot.domain.ids import derive_twin_id
from bot.ports.registry import RegistryStanding
from bot.wiring.chain_keys import read_key
from bot.wiring.rpc_chain import parse_account

RELAYER_KEY = "TWINPROOF_RELAYER_KEY"
_DAY_S = 86_400
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_SIGNATURE = re.compile(r"0x(?:[0-9a-fA-F]{2}){1,2048}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedBinding:
    """What is to be bound, as it was typed."""

    rpc_url: str
    registry: str
    creator: str
    twin: str
    manifest: str
    payout: str
    days: int


async def make_request(wanted: WantedBinding) -> BindingRequest:
    """Make the request, with the number that comes next in the registry.

    Raises:
        UserError: an option is wrong, or the twin is revoked.
        ConfigurationError: an address can't be used, or there is no registry.
        ChainUnavailableError: the chain does not answer.
    """
    from adapters.evm.binding_rpc import look_up
    from adapters.host.system import SystemClock

    _check_url(wanted.rpc_url)
    creator = parse_account(wanted.creator, "--creator")
    payout = parse_account(wanted.payout, "--payout")
    registry = parse_account(wanted.registry, "--registry")
    if not _SLUG.fullmatch(wanted.twin):
        raise UserError("TWIN is the twin's name in its manifest, such as mira.")
    if not _HASH.fullmatch(wanted.manifest):
        raise UserError("--manifest is the manifest's hash: 64 hexadecimal digits.")
    domain, standing = await look_up(wanted.rpc_url, registry, derive_twin_id(creator, wanted.twin))
    if standing.is_revoked:
        raise UserError("Its creator has revoked this twin in the registry: that is final.")
    data = binding_data(
        creator=creator,
        slug=wanted.twin,
        manifest=bytes.fromhex(wanted.manifest),
        payout=payout,
        number=standing.number + 1,
        deadline=int(SystemClock().now().timestamp()) + wanted.days * _DAY_S,
    )
    return BindingRequest(creator, domain, data)


def read_request(path: Path) -> BindingRequest:
    """Read the file that `make_request` ended up in.

    Raises:
        UserError: it can't be read, or is none.
    """
    try:
        return parse_request(path.read_bytes())
    except OSError as error:
        raise UserError(f"The request {path} can't be read: {error.strerror}.") from error
    except FormatError as error:
        raise UserError(f"The file {path} is no request to bind a twin ({error}).") from error


async def relay(
    *, rpc_url: str, request: BindingRequest, signature: str, key: str, password_file: str
) -> RegistryStanding:
    """Relay a signed request, and return what the registry says of the twin then.

    Raises:
        UserError: the signature is none.
        ConfigurationError: the key can't be used, or the registry does not take the binding.
        ChainUnavailableError: the chain does not answer.
    """
    from adapters.evm.binding_rpc import relay_binding

    _check_url(rpc_url)
    if not _SIGNATURE.fullmatch(signature):
        raise UserError("--signature is what the wallet gave: 0x and hexadecimal digits.")
    found = await read_key("relayer", variable=RELAYER_KEY, file=key, password_file=password_file)
    if found is None:
        raise ConfigurationError(
            f"Name the key that pays the gas with --key, or set {RELAYER_KEY}."
        )
    return await relay_binding(
        rpc_url, key=found, request=request, signature=bytes.fromhex(signature[2:])
    )


def _check_url(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise UserError("--rpc-url must begin with http:// or https://.")
