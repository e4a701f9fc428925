"""What the tests of settlement by RPC share."""

from pathlib import Path

from adapters.evm.deploy_rpc import DeploymentPlan, deploy_by_rpc
from bot.crypto.eip712 import parse_address
from bot.wiring.keys import SampleCreators, ServiceKeys
from bot.wiring.rpc_chain import RpcChain
from tests.anvil import Anvil
from tests.fakes.settlement_rig import RELAYER_KEY, SETTLER_KEY, TREASURY_KEY, address_of


def keys_of_nobody() -> ServiceKeys:
    """Return a service's keys where none of them may be used: a real chain has keys of its own."""
    none = b""
    return ServiceKeys(
        receipts=none,
        vrf=none,
        log=none,
        settler=none,
        relayer=none,
        treasury=none,
        secrets=none,
        erasures=none,
        creators=SampleCreators(Path("/nonexistent")),
    )


async def deployed(node: Anvil, *, token: bytes | None = None, delay_s: int = 0) -> RpcChain:
    """Deploy the contracts from the treasury's account, with what settles on them."""
    done = await deploy_by_rpc(
        node.url,
        key=TREASURY_KEY,
        plan=DeploymentPlan(
            token=token,
            settler=address_of(SETTLER_KEY),
            owner=None,
            guardian=None,
            treasury=None,
            delay_s=delay_s,
            allowance_units=10**10,
        ),
        report=lambda _: None,
    )
    return RpcChain(
        url=node.url,
        chain_id=done.chain_id,
        contract=parse_address(done.settlement),
        token=parse_address(done.token),
        settler=SETTLER_KEY,
        relayer=RELAYER_KEY,
        finality=1,
        max_fee_wei=10**12,
    )
