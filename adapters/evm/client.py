"""The settlement chain over web3: the embedded chain or any JSON-RPC node, by the same class."""

from collections.abc import Sequence
from typing import Any

from eth_typing import BlockNumber
from eth_utils.crypto import keccak
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import BlockNotFound, Web3RPCError
from web3.providers import AsyncBaseProvider
from web3.types import BlockIdentifier

from adapters.evm.artefacts import load_artefact
from adapters.evm.checks import (
    NO_SETTLER,
    ExpectedChain,
    check_chain_id,
    check_code,
    check_settler,
    check_token,
    is_nobody,
)
from adapters.evm.contract_state import call_at, read_state
from adapters.evm.inclusion import read_inclusion, word
from adapters.evm.mapping import parse_rejection, reading, sending
from adapters.evm.signers import KeySigner, TransactionSigner, Unsigned, read_signed
from adapters.evm.signing import CallSigner, Job
from bot.crypto.eip712 import encode_address
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.fees import Market
from bot.domain.settlement import ChainIdentity, ClaimChunk, Commitment, ContractState
from bot.domain.transactions import (
    BlockTag,
    Finality,
    Inclusion,
    Purpose,
    Refusal,
    SignedTransaction,
    Signer,
)
from bot.ports.chain import Broadcast, SettlementChain

CLAIMED_BATCH = 64
"""Twins in one `claimed_of` call; the contract's own limit."""

_REQUEST_TIMEOUT_S = 10


class EvmSettlementChain(SettlementChain):
    """One deployed settlement contract, through one provider.

    It owns the two signing keys; they leave it only as signatures.
    """

    def __init__(
        self,
        *,
        provider: AsyncBaseProvider,
        settlement: bytes,
        settler_key: bytes | TransactionSigner | None = None,
        relayer_key: bytes | TransactionSigner | None = None,
        max_fee_per_gas_wei: int | None = None,
        expected: ExpectedChain | None = None,
    ) -> None:
        """Prepare; nothing is asked of the chain yet.

        Args:
            provider: the embedded chain's, or `rpc_provider(url)`.
            settlement: 20-byte address of the contract.
            settler_key: 32 bytes, or who signs in their place; None for reading only.
            relayer_key: likewise.
            max_fee_per_gas_wei: nothing is signed above it; None means no limit.
            expected: what `identity` compares the chain with; None for one that is our own.
        """
        self._web3: AsyncWeb3[Any] = AsyncWeb3(provider)
        self._provider = provider
        self._address = self._web3.to_checksum_address(settlement)
        self._settlement = self._web3.eth.contract(
            address=self._address, abi=load_artefact("settlement").abi
        )
        keys = {Signer.SETTLER: settler_key, Signer.RELAYER: relayer_key}
        self._signers = {
            signer: KeySigner(key) if isinstance(key, bytes) else key
            for signer, key in keys.items()
            if key is not None
        }
        self._calls = CallSigner(self._web3, max_fee_per_gas_wei)
        self._expected = expected
        # The identity whose token and settler were looked at: asked again when it changes.
        self._identity: ChainIdentity | None = None
        self._delay_s: int | None = None  # never changes

    async def close(self) -> None:
        """Close the sessions of an RPC provider."""
        if isinstance(self._provider, AsyncHTTPProvider):
            await self._provider.disconnect()

    async def identity(self) -> ChainIdentity:
        """See the port. The genesis hash is asked anew every time: a node may have been reset."""
        with reading():
            chain_id = await self._web3.eth.chain_id
            check_chain_id(chain_id, self._expected)
            genesis = await self._web3.eth.get_block(0)
            code = bytes(await self._web3.eth.get_code(self._address))
            check_code(code, self._address, chain_id)
            token = await self._settlement.functions.TOKEN().call()
            identity = ChainIdentity(
                chain_id=chain_id,
                genesis_hash=word(genesis["hash"]),
                settlement=_bytes(self._address),
                token=_bytes(token),
                code_hash=bytes(keccak(code)),
            )
        if self._expected is not None and identity != self._identity:
            await self._check(token, self._expected)
        self._identity = identity
        return identity

    async def _check(self, token: str, expected: ExpectedChain) -> None:
        """Look at what can't change as long as the identity does not, and at who may commit."""
        await check_token(self._web3, token, expected)
        settler = self._signers.get(Signer.SETTLER)
        if settler is not None:
            with reading():
                allowed = await self._settlement.functions.settler().call()
            check_settler(allowed, self._web3.to_checksum_address(settler.address))

    async def contract(self, *, finality: Finality = 1) -> ContractState:
        """See the port."""
        delay_s = await self.veto_delay_s()
        with reading():
            block = await self._block(finality)
            return await read_state(self._web3, self._settlement, block, delay_s)

    async def veto_delay_s(self) -> int:
        """See the port."""
        if self._delay_s is None:
            with reading():
                self._delay_s = int(await self._settlement.functions.DELAY().call())
        return self._delay_s

    async def account(self, signer: Signer) -> bytes:
        """See the port."""
        return self._signer(signer).address

    async def settler(self, *, finality: Finality = 1) -> bytes:
        """See the port."""
        with reading():
            block = await self._block(finality)
            return _bytes(await call_at(self._settlement.functions.settler(), block))

    async def nonce(self, account: Signer | bytes, *, finality: Finality = 1) -> int:
        """See the port."""
        whose = self._signer(account).address if isinstance(account, Signer) else account
        address = self._web3.to_checksum_address(whose)
        with reading():
            block = await self._block(finality)
            return int(await self._web3.eth.get_transaction_count(address, block))

    async def _block(self, finality: Finality) -> BlockIdentifier:
        """Return the newest block that is final in that sense, as a node wants it named."""
        if finality == 1:
            return "latest"
        if isinstance(finality, BlockTag):
            # By its number: the word may mean a later block from one question to the next.
            return BlockNumber(await self.height(finality))
        return BlockNumber(max(0, await self._web3.eth.block_number - finality + 1))

    async def height(self, tag: BlockTag) -> int:
        """See the port."""
        with reading():
            try:
                block = await self._web3.eth.get_block(tag.value)
            except (BlockNotFound, Web3RPCError) as error:
                raise ChainUnavailableError(
                    f"the node names no {tag} block; where the chain has none, set [settlement] "
                    "finality to a number of confirmations"
                ) from error
            return int(block["number"])

    async def market(self) -> Market:
        """See the port."""
        return await self._calls.market()

    async def sign_commit(
        self, commitment: Commitment, *, nonce: int
    ) -> SignedTransaction | Refusal:
        """See the port."""
        arguments = [
            commitment.epoch,
            commitment.fee_root,
            commitment.fee_total,
            commitment.log_root,
            commitment.log_size,
            commitment.data_hash,
        ]
        data = self._settlement.encode_abi("commit", args=arguments)
        signed = await self._sign(Purpose.COMMIT, commitment.epoch, 0, nonce=nonce, data=data)
        if isinstance(signed, Refusal):
            with reading():
                allowed = str(await self._settlement.functions.settler().call())
            if is_nobody(allowed):
                return Refusal(NO_SETTLER)
        return signed

    async def sign_claims(self, chunk: ClaimChunk, *, nonce: int) -> SignedTransaction | Refusal:
        """See the port."""
        leaves = [
            (
                leaf.twin,
                self._web3.to_checksum_address(leaf.payout),
                leaf.cumulative_units,
                leaf.audit,
            )
            for leaf in chunk.leaves
        ]
        data = self._settlement.encode_abi("claim_chunk", args=[leaves, list(chunk.proof)])
        return await self._sign(Purpose.CLAIM, chunk.epoch, chunk.index, nonce=nonce, data=data)

    async def raise_fees(self, transaction: SignedTransaction) -> SignedTransaction | Refusal:
        """See the port."""
        call = read_signed(transaction.raw)
        job = Job(transaction.purpose, transaction.epoch, transaction.chunk)
        signer = self._signer(transaction.purpose.signer)
        if transaction.sender != signer.address:
            return Refusal(f"its account {encode_address(transaction.sender)} has no key here")
        return await self._calls.sign(job, call, signer, over=transaction.fees)

    async def send(self, transaction: SignedTransaction) -> Broadcast | Refusal:
        """See the port."""
        with sending():
            try:
                await self._web3.eth.send_raw_transaction(transaction.raw)
            except Web3RPCError as error:
                answer = parse_rejection(error)
                if answer is None:
                    raise
                return answer
        return Broadcast.ACCEPTED

    async def inclusion(self, transaction_hash: bytes) -> Inclusion | None:
        """See the port."""
        with reading():
            return await read_inclusion(self._web3, transaction_hash)

    async def claimed(self, twins: Sequence[bytes], *, finality: Finality = 1) -> tuple[int, ...]:
        """See the port."""
        amounts: list[int] = []
        with reading():
            block = await self._block(finality)
            for start in range(0, len(twins), CLAIMED_BATCH):
                call = self._settlement.functions.claimed_of(
                    list(twins[start : start + CLAIMED_BATCH])
                )
                amounts.extend(await call_at(call, block))
        return tuple(amounts)

    async def balance(self, address: bytes) -> int:
        """See the port."""
        identity = self._identity or await self.identity()
        token = self._web3.eth.contract(
            address=self._web3.to_checksum_address(identity.token), abi=load_artefact("token").abi
        )
        with reading():
            holder = self._web3.to_checksum_address(address)
            return int(await token.functions.balanceOf(holder).call())

    async def _sign(
        self, purpose: Purpose, epoch: int, chunk: int, *, nonce: int, data: str
    ) -> SignedTransaction | Refusal:
        with reading():
            chain_id = await self._web3.eth.chain_id
        call = Unsigned(chain_id, nonce, _bytes(self._address), _bytes(data))
        job = Job(purpose, epoch, chunk)
        return await self._calls.sign(job, call, self._signer(purpose.signer), over=None)

    def _signer(self, signer: Signer) -> TransactionSigner:
        found = self._signers.get(signer)
        if found is None:
            raise ConfigurationError(f"The {signer}'s key was not given.")
        return found


def rpc_provider(url: str) -> AsyncHTTPProvider:
    """Return a provider for a node's JSON-RPC address; retrying is left to the publisher."""
    return AsyncHTTPProvider(
        url,
        request_kwargs={"timeout": _REQUEST_TIMEOUT_S},
        exception_retry_configuration=None,
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
