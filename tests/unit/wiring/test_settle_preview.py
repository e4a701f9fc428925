"""What a look ahead says of the settler's key, from what a chain says."""

from adapters.evm.facts import ChainFacts
from bot.crypto.eip712 import encode_address
from bot.domain.fees import Market
from bot.wiring.rpc_chain import RpcChain
from bot.wiring.settle_preview import _judge

OURS, OTHER = b"\x01" * 20, b"\x02" * 20
NOBODY = encode_address(b"\x03" * 20)
RPC = RpcChain(
    url="http://127.0.0.1:9/",
    chain_id=7,
    contract=b"\x04" * 20,
    token=b"\x05" * 20,
    settler=None,
    relayer=None,
    finality=1,
    max_fee_wei=10**12,
)


def facts(settler: bytes) -> ChainFacts:
    """Return a chain where our account has no coin."""
    return ChainFacts(
        chain_id=7,
        height=1,
        contract=NOBODY,
        owner=NOBODY,
        guardian=NOBODY,
        settler=encode_address(settler),
        treasury=NOBODY,
        delay_s=0,
        token=NOBODY,
        symbol="USD",
        decimals=6,
        treasury_units=0,
        allowance_units=0,
        vault_units=0,
        claimed_units=0,
        coins={OURS: 0},
        market=Market(10**9, 1, 0),
    )


def test_a_key_that_may_not_commit_is_not_asked_to_be_funded() -> None:
    right = _judge(facts(OURS), RPC, OURS, b"", None)
    wrong = _judge(facts(OTHER), RPC, OURS, b"", None)

    assert ["send it some" in one for one in right] == [True]
    assert ["set_settler" in one for one in wrong] == [True]
