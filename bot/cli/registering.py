"""`chain binding`, `bind`, `revocation` and `revoke`: what a creator says in the registry of twins.

A request is printed for the creator, who signs it wherever their key is; anybody relays it.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli import printing
from bot.crypto.eip712 import encode_address

if TYPE_CHECKING:  # the program starts faster without it
    from bot.domain.bindings import RegistryRequest
    from bot.ports.registry import RegistryStanding

_FILE = click.Path(dir_okay=False, path_type=Path)
_RPC_URL = click.option(
    "--rpc-url", required=True, metavar="URL", help="JSON-RPC address of a node."
)
_REGISTRY = click.option("--registry", metavar="0x…", help="The registry of twins.")
_CONTRACT = click.option(
    "--contract", metavar="0x…", help="Instead: the settlement contract, which names it."
)
_CREATOR = click.option(
    "--creator", required=True, metavar="0x…", help="Whose twin it is; they will sign."
)
_DAYS = click.option(
    "--days",
    type=click.IntRange(1, 365),
    default=7,
    metavar="N",
    help="How long the signature can be relayed. Default: 7.",
)
_SIGNATURE = click.option(
    "--signature", required=True, metavar="0x…", help="What the creator's wallet gave."
)
_KEY = click.option(
    "--key", type=_FILE, help="Keystore, or bare key, of any account that pays the gas."
)
_PASSWORD_FILE = click.option(
    "--password-file", type=_FILE, help="File with the keystore's password."
)


@click.command()
@click.argument("twin")
@_RPC_URL
@_REGISTRY
@_CONTRACT
@_CREATOR
@click.option("--payout", required=True, metavar="0x…", help="Where its fees are to be paid.")
@click.option("--manifest", required=True, metavar="HASH", help="Hash of the manifest in force.")
@_DAYS
def binding(  # noqa: PLR0917 - click passes them by name
    twin: str,
    rpc_url: str,
    registry: str | None,
    contract: str | None,
    creator: str,
    payout: str,
    manifest: str,
    days: int,
) -> int:
    """Print what a creator signs to bind TWIN to a manifest and a payout address.

    The creator signs it with `twinproof sign`, or a wallet its `typed_data` (eth_signTypedData_v4);
    `chain bind` relays it. `twinproof verify LINK --json` names hash and creator of the
    manifest, and the contract, of any reply.
    """
    from bot.wiring import binding as binding_wiring

    _require_one(registry, contract)
    wanted = binding_wiring.WantedBinding(
        rpc_url=rpc_url,
        registry=registry,
        contract=contract,
        creator=creator,
        twin=twin,
        manifest=manifest,
        payout=payout,
        days=days,
    )
    printing.print_json(asyncio.run(binding_wiring.make_binding(wanted)).as_json())
    return 0


@click.command()
@click.argument("request", type=_FILE)
@_SIGNATURE
@_RPC_URL
@_KEY
@_PASSWORD_FILE
def bind(
    request: Path, signature: str, rpc_url: str, key: Path | None, password_file: Path | None
) -> int:
    """Relay a creator's signed binding: REQUEST is the file that `chain binding` printed.

    The key that pays the gas may also be in the environment, as TWINPROOF_RELAYER_KEY.
    """
    from bot.wiring import binding as binding_wiring

    asked = binding_wiring.read_binding(request)
    standing = _relay(asked, signature, rpc_url, key, password_file)
    printing.say(f"Bound, as number {standing.number}, in block {standing.block.number}.")
    if standing.payout is not None:
        printing.print_result(f"paid now: {encode_address(standing.payout)}")
    return 0


@click.command()
@click.argument("twin")
@_RPC_URL
@_REGISTRY
@_CONTRACT
@_CREATOR
@_DAYS
def revocation(  # noqa: PLR0917 - click passes them by name
    twin: str, rpc_url: str, registry: str | None, contract: str | None, creator: str, days: int
) -> int:
    """Print what a creator signs to revoke TWIN in the registry, for ever.

    The creator signs it with `twinproof sign`, or a wallet its `typed_data` (eth_signTypedData_v4);
    `chain revoke` relays it, from any account. Nothing can be bound any more then, and the twin
    begins no reply within a minute.
    """
    from bot.wiring import binding as binding_wiring

    _require_one(registry, contract)
    wanted = binding_wiring.WantedRequest(
        rpc_url=rpc_url, registry=registry, contract=contract, creator=creator, twin=twin, days=days
    )
    request, standing = asyncio.run(binding_wiring.make_revocation(wanted))
    if standing.payout is None:
        printing.say(
            f"Nothing was ever bound for {twin} of this creator: check the name and the address. "
            "Once it is revoked, no payout address can be bound for it any more."
        )
    else:
        printing.say(
            "A revocation is final. What the twin has earned stays due to "
            f"{encode_address(standing.payout)}; another address that waits is dropped."
        )
    printing.print_json(request.as_json())
    return 0


@click.command()
@click.argument("request", type=_FILE)
@_SIGNATURE
@_RPC_URL
@_KEY
@_PASSWORD_FILE
def revoke(
    request: Path, signature: str, rpc_url: str, key: Path | None, password_file: Path | None
) -> int:
    """Relay a creator's signed revocation: REQUEST is the file that `chain revocation` printed.

    The key that pays the gas may also be in the environment, as TWINPROOF_RELAYER_KEY.
    """
    from bot.wiring import binding as binding_wiring

    asked = binding_wiring.read_revocation(request)
    standing = _relay(asked, signature, rpc_url, key, password_file)
    printing.say(f"Revoked for ever, by block {standing.block.number}.")
    due = "nobody" if standing.payout is None else encode_address(standing.payout)
    printing.print_result(f"still due to: {due}")
    return 0


def _require_one(registry: str | None, contract: str | None) -> None:
    if (registry is None) is (contract is None):
        raise click.UsageError("name either the registry with --registry, or --contract")


def _relay(
    request: "RegistryRequest",
    signature: str,
    rpc_url: str,
    key: Path | None,
    password_file: Path | None,
) -> "RegistryStanding":
    from bot.wiring import binding as binding_wiring

    return asyncio.run(
        binding_wiring.relay(
            rpc_url=rpc_url,
            request=request,
            signature=signature,
            key="" if key is None else str(key),
            password_file="" if password_file is None else str(password_file),
        )
    )
