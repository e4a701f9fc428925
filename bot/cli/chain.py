"""The command `chain`: put the contracts on a chain by RPC URL."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli import printing, registering

if TYPE_CHECKING:  # the program starts faster without it
    from bot.wiring.deploying import Standing

_FILE = click.Path(dir_okay=False, path_type=Path)
_ALLOWANCE = "10000"


@click.group()
def chain() -> None:
    """Prepare a real chain for settlement (docs/operators.md)."""


for _command in (
    registering.binding,
    registering.bind,
    registering.revocation,
    registering.revoke,
):
    chain.add_command(_command)


@chain.command()
@click.option("--rpc-url", required=True, metavar="URL", help="JSON-RPC address of a node.")
@click.option("--key", type=_FILE, help="The deployer's keystore, or bare key of mode 600.")
@click.option("--password-file", type=_FILE, help="File with the keystore's password.")
@click.option("--settler", required=True, metavar="0x…", help="The account that will commit.")
@click.option("--token", metavar="0x…", help="The token that creators are paid; 6 decimals.")
@click.option("--test-token", is_flag=True, help="Deploy a worthless token. Test chains only.")
@click.option("--owner", metavar="0x…", help="May change the settler. Default: the deployer.")
@click.option("--guardian", metavar="0x…", help="May veto. Default: the deployer.")
@click.option("--treasury", metavar="0x…", help="Whose tokens are paid. Default: the deployer.")
@click.option(
    "--delay",
    type=click.IntRange(0, 30 * 86_400),
    default=0,
    metavar="SECONDS",
    help="How long the guardian can veto a commitment. Default: 0.",
)
@click.option(
    "--allowance",
    default=_ALLOWANCE,
    metavar="TOKENS",
    help=f"What the contract may take from the treasury in all. Default: {_ALLOWANCE}.",
)
@click.option(
    "--registry",
    metavar="0x…",
    help="A registry of twins that stands already: it has no owner. Default: a new one.",
)
@click.option(
    "--payout-delay",
    type=click.IntRange(0, 30 * 86_400),
    default=48 * 3_600,
    metavar="SECONDS",
    help="How long a creator's new payout address waits in a new registry. Default: 172800.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what stands now as JSON.")
def deploy(  # noqa: PLR0917 - click passes them by name
    rpc_url: str,
    key: Path | None,
    password_file: Path | None,
    settler: str,
    token: str | None,
    test_token: bool,  # noqa: FBT001 - click passes flags by name
    owner: str | None,
    guardian: str | None,
    treasury: str | None,
    delay: int,
    allowance: str,
    registry: str | None,
    payout_delay: int,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Deploy registry and settlement contract, and print the rows of config.toml that name them.

    The deployer's key comes from --key, or from the environment as TWINPROOF_DEPLOYER_KEY. It pays
    the gas, and holds every role that no other account is named for.

    \b
    twinproof chain deploy --rpc-url http://127.0.0.1:8545 --settler 0x… --test-token
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    from bot.wiring import deploying

    if (token is None) is not test_token:
        raise click.UsageError("name either the token with --token, or --test-token")
    wanted = deploying.Wanted(
        rpc_url=rpc_url,
        key="" if key is None else str(key),
        password_file="" if password_file is None else str(password_file),
        settler=settler,
        token=token,
        owner=owner,
        guardian=guardian,
        treasury=treasury,
        delay_s=delay,
        allowance=allowance,
        registry=registry,
        payout_delay_s=payout_delay,
    )
    done = asyncio.run(deploying.deploy(wanted, printing.say))
    _show(done, as_json=as_json)
    return 0


def _show(done: "Standing", *, as_json: bool) -> None:
    if as_json:
        printing.print_json(
            {
                "chain_id": done.chain_id,
                "contract": done.contract,
                "token": done.token,
                "treasury": done.treasury,
                "registry": done.registry,
                "is_allowed": done.is_allowed,
            }
        )
    else:
        printing.print_result(done.rows)
        if not done.is_allowed:
            printing.say(
                f"Now the treasury {done.treasury} must allow {done.contract} to take its tokens "
                "(approve), or no epoch can be committed."
            )
