"""Our one EIP-712 struct against eth_account, the implementation behind web3."""

from eth_account import Account
from eth_account.messages import encode_typed_data

from bot.crypto import eip712
from bot.domain.manifest import signing_data
from scripts.vector_parts import CREATOR, CREATOR_KEY, MANIFEST

DATA = signing_data(MANIFEST)


def test_wallet_signature_over_the_typed_data_recovers_the_creator() -> None:
    signed = Account.sign_message(encode_typed_data(full_message=DATA.typed_data()), CREATOR_KEY)

    assert eip712.recover_signer(DATA.digest(), bytes(signed.signature)) == CREATOR


def test_our_signature_is_the_wallets_signature() -> None:
    signed = Account.sign_message(encode_typed_data(full_message=DATA.typed_data()), CREATOR_KEY)

    assert eip712.sign_digest(CREATOR_KEY, DATA.digest()) == bytes(signed.signature)


def test_address_has_the_wallets_spelling() -> None:
    assert eip712.address_of(CREATOR_KEY) == Account.from_key(CREATOR_KEY).address
