"""Our two EIP-712 structs against eth_account, the implementation behind web3."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from bot.crypto import eip712
from bot.crypto.eip712 import SigningData
from bot.domain.manifest import signing_data
from bot.domain.order import OrderAction, order_data
from scripts.vector_events import ORDER
from scripts.vector_parts import CREATOR, CREATOR_KEY, MANIFEST

REVOCATION = replace(ORDER, action=OrderAction.REVOKE, manifest=MANIFEST.hash)
SIGNED = pytest.mark.parametrize(
    "data",
    [
        signing_data(MANIFEST),
        order_data(ORDER, MANIFEST.name),
        order_data(REVOCATION, MANIFEST.name),
    ],
    ids=["manifest", "order", "revocation of a version"],
)


@SIGNED
def test_wallet_signature_over_the_typed_data_recovers_the_creator(data: SigningData) -> None:
    signed = Account.sign_message(encode_typed_data(full_message=data.typed_data()), CREATOR_KEY)

    assert eip712.recover_signer(data.digest(), bytes(signed.signature)) == CREATOR


@SIGNED
def test_our_signature_is_the_wallets_signature(data: SigningData) -> None:
    signed = Account.sign_message(encode_typed_data(full_message=data.typed_data()), CREATOR_KEY)

    assert eip712.sign_digest(CREATOR_KEY, data.digest()) == bytes(signed.signature)


@SIGNED
def test_wallet_that_insists_on_a_chain_signs_another_digest(data: SigningData) -> None:
    typed: Any = data.typed_data()
    typed["domain"]["chainId"] = 31337
    typed["types"]["EIP712Domain"].append({"name": "chainId", "type": "uint256"})
    signed = Account.sign_message(encode_typed_data(full_message=typed), CREATOR_KEY)

    assert eip712.recover_signer(data.digest(chain_id=31337), bytes(signed.signature)) == CREATOR
    assert eip712.recover_signer(data.digest(), bytes(signed.signature)) != CREATOR


def test_address_has_the_wallets_spelling() -> None:
    assert eip712.address_of(CREATOR_KEY) == Account.from_key(CREATOR_KEY).address
