"""A real chain as the configuration names it: its nodes, its contract, and who signs for it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.config import SettlementSettings
from bot.crypto.eip712 import address_of, encode_address, parse_address
from bot.domain.addresses import parse_typed_address
from bot.domain.errors import ConfigurationError, UserError
from bot.domain.transactions import BlockTag, Finality
from bot.ports.chain import SettlementChain
from bot.settlement.courier import PATIENCE_S
from bot.wiring.chain_keys import read_key

if TYPE_CHECKING:
    from adapters.evm.signers import TransactionSigner

SETTLER_KEY, RELAYER_KEY = "TWINPROOF_SETTLER_KEY", "TWINPROOF_RELAYER_KEY"
_GWEI = 10**9


@dataclass(frozen=True, slots=True)
class SignedElsewhere:
    """An account whose key is with a command of the operator's.

    Attributes:
        command: program and arguments.
        account: 20 bytes.
    """

    command: tuple[str, ...]
    account: bytes


Account = bytes | SignedElsewhere
"""A private key of 32 bytes, or who has it."""


@dataclass(frozen=True, slots=True)
class RpcChain:
    """A real chain as it was configured, checked for form; nothing was asked of it yet.

    Attributes:
        url: the node's; may hold a secret.
        contract: 20 bytes; `token` likewise.
        settler: None for reading only.
        relayer: None where creators claim by themselves.
        second_url: of the node that must agree before anything is final; empty for none.
        patience_s: after how much of the chain's time a transaction's fees are raised.
    """

    url: str
    chain_id: int
    contract: bytes
    token: bytes
    settler: Account | None
    relayer: Account | None
    finality: Finality
    max_fee_wei: int
    second_url: str = ""
    patience_s: int = PATIENCE_S

    def __repr__(self) -> str:
        """Name the chain alone: the rest is secret or long."""
        return f"RpcChain({self.chain_id})"


def account_address(account: Account) -> bytes:
    """Return the 20-byte address of an account."""
    if isinstance(account, SignedElsewhere):
        return account.account
    return parse_address(address_of(account))


async def read_rpc_chain(settings: SettlementSettings) -> RpcChain | None:
    """Read what the configuration says of a real chain, with its keys; None where it names none.

    Raises:
        ConfigurationError: something is missing or can't be used.
    """
    place = read_place(settings)
    if place is None:
        return None
    settler = await _read_account(
        "settler",
        settings,
        variable=SETTLER_KEY,
        file=settings.settler_key,
        elsewhere=(settings.settler_command, settings.settler_account),
    )
    relayer = await _read_account(
        "relayer",
        settings,
        variable=RELAYER_KEY,
        file=settings.relayer_key,
        elsewhere=(settings.relayer_command, settings.relayer_account),
    )
    if settler is None:
        raise ConfigurationError(
            "Settling on a chain needs the key that commits epochs: name its file in [settlement] "
            f"settler_key, or set {SETTLER_KEY}, or name a settler_command that has it."
        )
    if relayer is not None and account_address(settler) == account_address(relayer):
        raise ConfigurationError(
            f"Settler and relayer are both {encode_address(account_address(settler))}: give them "
            "accounts of their own, because each account's transactions are numbered by one of "
            "them."
        )
    return replace(place, settler=settler, relayer=relayer)


async def _read_account(
    meaning: str,
    settings: SettlementSettings,
    *,
    variable: str,
    file: str,
    elsewhere: tuple[Sequence[str], str],
) -> Account | None:
    command, account = elsewhere
    key = await read_key(
        meaning, variable=variable, file=file, password_file=settings.password_file
    )
    if not command:
        if account:
            raise ConfigurationError(
                f"[settlement] {meaning}_account means nothing without {meaning}_command: set that "
                "too, or leave both out."
            )
        return key
    if key is not None:
        raise ConfigurationError(
            f"The {meaning} has a key and a command that signs: leave {variable} and [settlement] "
            f"{meaning}_key out, or {meaning}_command."
        )
    if not account:
        raise ConfigurationError(
            f"[settlement] {meaning}_command needs {meaning}_account beside it: the address that "
            "it signs for."
        )
    where = f"[settlement] {meaning}_account"
    return SignedElsewhere(tuple(command), parse_account(account, where))


def read_place(settings: SettlementSettings) -> RpcChain | None:
    """Read which chain the configuration names, for reading only; None where it names none.

    Raises:
        ConfigurationError: something is missing or is no address.
    """
    wanted = ("chain_id", "contract", "token")
    if not settings.rpc_url:
        given = [name for name in (*wanted, "second_rpc_url") if getattr(settings, name)]
        if given:
            raise ConfigurationError(
                f"[settlement] {', '.join(given)} means nothing without rpc_url: set that too."
            )
        return None
    missing = [name for name in wanted if not getattr(settings, name)]
    if missing:
        raise ConfigurationError(
            f"[settlement] rpc_url needs {', '.join(missing)} beside it "
            "(`twinproof chain deploy` prints them)."
        )
    if settings.second_rpc_url == settings.rpc_url:
        raise ConfigurationError(
            "[settlement] second_rpc_url is rpc_url once more: name a node of somebody else's, or "
            "leave it out."
        )
    finality = settings.finality
    return RpcChain(
        url=settings.rpc_url,
        chain_id=settings.chain_id,
        contract=parse_account(settings.contract, "[settlement] contract"),
        token=parse_account(settings.token, "[settlement] token"),
        settler=None,
        relayer=None,
        finality=finality if isinstance(finality, int) else BlockTag(finality),
        max_fee_wei=settings.max_fee_gwei * _GWEI,
        second_url=settings.second_rpc_url,
        patience_s=settings.patience_seconds,
    )


def parse_account(text: str, where: str) -> bytes:
    """Parse an address of the configuration or of an option; see `parse_typed_address`.

    Raises:
        ConfigurationError: it is none, or is mistyped.
    """
    try:
        return parse_typed_address(text, where)
    except UserError as error:
        raise ConfigurationError(str(error)) from error


@asynccontextmanager
async def open_rpc_chain(rpc: RpcChain) -> AsyncIterator[SettlementChain]:
    """Open a client of a real chain; nothing is asked yet."""
    from adapters.evm.checks import ExpectedChain
    from adapters.evm.client import EvmSettlementChain, rpc_provider

    chain = EvmSettlementChain(
        provider=rpc_provider(rpc.url),
        settlement=rpc.contract,
        settler_key=_signer(rpc.settler),
        relayer_key=_signer(rpc.relayer),
        max_fee_per_gas_wei=rpc.max_fee_wei,
        expected=ExpectedChain(rpc.chain_id, rpc.token),
    )
    try:
        yield chain
    finally:
        await chain.close()


@asynccontextmanager
async def open_second(rpc: RpcChain) -> AsyncIterator[SettlementChain | None]:
    """Open the second node of a real chain, which only looks; None where there is none."""
    from adapters.evm.checks import ExpectedChain
    from adapters.evm.client import EvmSettlementChain, rpc_provider
    from adapters.evm.signers import Watched

    if not rpc.second_url:
        yield None
        return
    chain = EvmSettlementChain(
        provider=rpc_provider(rpc.second_url),
        settlement=rpc.contract,
        settler_key=None if rpc.settler is None else Watched(account_address(rpc.settler)),
        relayer_key=None if rpc.relayer is None else Watched(account_address(rpc.relayer)),
        expected=ExpectedChain(rpc.chain_id, rpc.token),
    )
    try:
        yield chain
    finally:
        await chain.close()


def _signer(account: Account | None) -> "bytes | TransactionSigner | None":
    from adapters.evm.signers import CommandSigner

    if isinstance(account, SignedElsewhere):
        return CommandSigner(account.command, account.account)
    return account
