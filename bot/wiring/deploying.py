"""Putting the contracts on a chain, from what an operator says on the command line."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from bot.domain.errors import ConfigurationError, UserError
from bot.domain.money import NANO
from bot.domain.settlement import NANO_PER_UNIT
from bot.wiring.chain_keys import read_key
from bot.wiring.rpc_chain import parse_account

_DECIMALS = 6
DEPLOYER_KEY = "TWINPROOF_DEPLOYER_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The command's options; addresses as they were typed, None where not given."""

    rpc_url: str
    key: str
    password_file: str
    settler: str
    token: str | None
    owner: str | None
    guardian: str | None
    treasury: str | None
    delay_s: int
    allowance: str
    registry: str | None
    payout_delay_s: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on the chain now; EIP-55 addresses.

    Attributes:
        is_allowed: whether the treasury has allowed the contract to take what it owes.
        rows: for config.toml.
    """

    chain_id: int
    contract: str
    token: str
    treasury: str
    registry: str
    is_allowed: bool
    rows: str


async def deploy(wanted: Wanted, report: Callable[[str], None]) -> Standing:
    """Deploy what is wanted; `report` is told of each step that is done.

    Raises:
        UserError: an option is wrong.
        ConfigurationError: an address or the key can't be used, or the chain refuses.
        ChainUnavailableError: the chain does not answer.
    """
    from adapters.evm.deploy_rpc import DeploymentPlan, deploy_by_rpc

    plan = DeploymentPlan(
        token=_account(wanted.token, "--token"),
        settler=parse_account(wanted.settler, "--settler"),
        owner=_account(wanted.owner, "--owner"),
        guardian=_account(wanted.guardian, "--guardian"),
        treasury=_account(wanted.treasury, "--treasury"),
        delay_s=wanted.delay_s,
        allowance_units=_units(wanted.allowance),
        registry=_account(wanted.registry, "--registry"),
        payout_delay_s=wanted.payout_delay_s,
    )
    if not wanted.rpc_url.startswith(("http://", "https://")):
        raise UserError("--rpc-url must begin with http:// or https://.")
    key = await read_key(
        "deployer", variable=DEPLOYER_KEY, file=wanted.key, password_file=wanted.password_file
    )
    if key is None:
        raise ConfigurationError(f"Name the deployer's key with --key, or set {DEPLOYER_KEY}.")
    done = await deploy_by_rpc(wanted.rpc_url, key=key, plan=plan, report=report)
    rows = (
        "[settlement]",
        f"chain_id = {done.chain_id}",
        f'contract = "{done.settlement}"',
        f'token = "{done.token}"',
    )
    return Standing(
        chain_id=done.chain_id,
        contract=done.settlement,
        token=done.token,
        treasury=done.treasury,
        registry=done.registry,
        is_allowed=done.is_allowed,
        rows="\n".join(rows),
    )


def _account(text: str | None, where: str) -> bytes | None:
    return None if text is None else parse_account(text, where)


def _units(text: str) -> int:
    try:
        tokens = Decimal(text)
    except InvalidOperation:
        tokens = Decimal(-1)
    if not tokens.is_finite() or not 0 <= tokens < 2**128:
        raise UserError("--allowance is an amount of tokens, such as 10000.")
    exponent = tokens.as_tuple().exponent
    if tokens == 0 or not isinstance(exponent, int) or exponent < -_DECIMALS:
        raise UserError(
            "--allowance is at least 0.000001 tokens, with up to 6 decimals: without one no epoch "
            "can be committed."
        )
    # A fraction, since a decimal would round what has many digits.
    units = Fraction(tokens) * NANO / NANO_PER_UNIT
    if units >= 2**128:
        raise UserError("--allowance is an amount of tokens, such as 10000.")
    return int(units)
