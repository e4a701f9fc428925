"""A twin in the registry: the requests that its creator signs, and relaying them."""

import re
from dataclasses import dataclass
from pathlib import Path

from bot.crypto.errors import FormatError
from bot.crypto.registry_data import RegistryDomain, TwinBindingData
from bot.domain.bindings import RegistryRequest, binding_data, parse_request, revocation_data
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
class WantedRequest:
    """Whose twin it is about, and where, as it was typed.

    Attributes:
        registry: its address; None where `contract` is given, which names it.
        contract: the settlement contract that pays the twin.
    """

    rpc_url: str
    registry: str | None
    contract: str | None
    creator: str
    twin: str
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedBinding(WantedRequest):
    """What is to be bound, as it was typed."""

    manifest: str
    payout: str


async def make_binding(wanted: WantedBinding) -> RegistryRequest:
    """Make the request for a binding, with the number that comes next in the registry.

    Raises:
        UserError: an option is wrong, or the twin is revoked.
        ConfigurationError: an address can't be used, or there is no registry.
        ChainUnavailableError: the chain does not answer.
    """
    payout = parse_account(wanted.payout, "--payout")
    if not _HASH.fullmatch(wanted.manifest):
        raise UserError("--manifest is the manifest's hash: 64 hexadecimal digits.")
    creator, domain, standing = await _look_up(wanted)
    data = binding_data(
        creator=creator,
        slug=wanted.twin,
        manifest=bytes.fromhex(wanted.manifest),
        payout=payout,
        number=standing.number + 1,
        deadline=_deadline(wanted),
    )
    return RegistryRequest(creator, domain, data)


async def make_revocation(wanted: WantedRequest) -> tuple[RegistryRequest, RegistryStanding]:
    """Make the request to end a twin for ever; also return what stands of it now.

    Raises:
        UserError: an option is wrong, or the twin is revoked already.
        ConfigurationError: an address can't be used, or there is no registry.
        ChainUnavailableError: the chain does not answer.
    """
    creator, domain, standing = await _look_up(wanted)
    data = revocation_data(creator=creator, slug=wanted.twin, deadline=_deadline(wanted))
    return RegistryRequest(creator, domain, data), standing


def read_binding(path: Path) -> RegistryRequest:
    """Read the file that `make_binding` ended up in.

    Raises:
        UserError: it can't be read, or is none.
    """
    request = _read(path)
    if not isinstance(request.data, TwinBindingData):
        raise UserError(
            f"The file {path} asks to revoke {request.data.slug} for ever, and binds nothing: "
            "`twinproof chain revoke` sends it."
        )
    return request


def read_revocation(path: Path) -> RegistryRequest:
    """Read the file that `make_revocation` ended up in.

    Raises:
        UserError: it can't be read, or is none.
    """
    request = _read(path)
    if isinstance(request.data, TwinBindingData):
        raise UserError(
            f"The file {path} binds {request.data.slug}, and revokes nothing: "
            "`twinproof chain bind` sends it."
        )
    return request


def _read(path: Path) -> RegistryRequest:
    try:
        return parse_request(path.read_bytes())
    except OSError as error:
        raise UserError(f"The request {path} can't be read: {error.strerror}.") from error
    except FormatError as error:
        raise UserError(f"The file {path} is no request for the registry ({error}).") from error


async def relay(
    *, rpc_url: str, request: RegistryRequest, signature: str, key: str, password_file: str
) -> RegistryStanding:
    """Relay a signed request, and return what the registry says of the twin then.

    Raises:
        UserError: the signature is none.
        ConfigurationError: the key can't be used, or the registry does not take the request.
        ChainUnavailableError: the chain does not answer.
    """
    from adapters.evm.binding_rpc import relay_request

    _check_url(rpc_url)
    if not _SIGNATURE.fullmatch(signature):
        raise UserError("--signature is what the wallet gave: 0x and hexadecimal digits.")
    found = await read_key("relayer", variable=RELAYER_KEY, file=key, password_file=password_file)
    if found is None:
        raise ConfigurationError(
            f"Name the key that pays the gas with --key, or set {RELAYER_KEY}."
        )
    return await relay_request(
        rpc_url, key=found, request=request, signature=bytes.fromhex(signature[2:])
    )


async def _look_up(wanted: WantedRequest) -> tuple[bytes, RegistryDomain, RegistryStanding]:
    from adapters.evm.binding_rpc import look_up, registry_of

    _check_url(wanted.rpc_url)
    creator = parse_account(wanted.creator, "--creator")
    if wanted.registry is not None:
        registry = parse_account(wanted.registry, "--registry")
    else:
        contract = parse_account(wanted.contract or "", "--contract")
        registry = await registry_of(wanted.rpc_url, contract)
    if not _SLUG.fullmatch(wanted.twin):
        raise UserError("TWIN is the twin's name in its manifest, such as mira.")
    domain, standing = await look_up(wanted.rpc_url, registry, derive_twin_id(creator, wanted.twin))
    if standing.is_revoked:
        raise UserError("Its creator has revoked this twin in the registry: that is final.")
    return creator, domain, standing


def _deadline(wanted: WantedRequest) -> int:
    from adapters.host.system import SystemClock

    return int(SystemClock().now().timestamp()) + wanted.days * _DAY_S


def _check_url(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise UserError("--rpc-url must begin with http:// or https://.")
