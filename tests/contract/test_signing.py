"""The contract of the signing desk, over the fake and the real room."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from bot.crypto import eip712
from bot.domain.errors import LinkExpiredError, UserError
from bot.ports.signing import PreparedSignature, SigningDesk
from scripts.vector_log import fixed_key
from tests.fakes.clock import SetClock
from tests.fakes.signing import MemorySigningDesk
from tests.unit.creators.house import ZOE, House, memory_house, token_of

KEY, OTHER_KEY = fixed_key("wallet"), fixed_key("another wallet")
ADDRESS, OTHER = eip712.address_of(KEY), eip712.address_of(OTHER_KEY)
UNKNOWN = "A" * 43


@dataclass(frozen=True, slots=True)
class Door:
    """A desk, its clock, and how a link to it is made."""

    desk: SigningDesk
    clock: SetClock
    invite: Callable[[str], Awaitable[str]]

    async def prepare(
        self, token: str, *, signer: str = ADDRESS, payout: str = ""
    ) -> PreparedSignature:
        """Prepare for an address."""
        return await self.desk.prepare(token, signer=signer, payout=payout)

    async def submit(self, token: str, prepared: PreparedSignature, signature: str) -> str:
        """Hand a signature in."""
        return await self.desk.submit(token, body=prepared.body, signature=signature)

    async def published(self) -> None:
        """Have the twin in force, owned by ADDRESS."""
        token = await self.invite("publish")
        prepared = await self.prepare(token)
        await self.submit(token, prepared, sign(prepared))


def sign(prepared: PreparedSignature, key: bytes = KEY, chain: int | None = None) -> str:
    """Sign as a wallet does, by a foreign implementation."""
    typed: dict[str, Any] = dict(prepared.typed_data)
    if chain is not None:
        member = {"name": "chainId", "type": "uint256"}
        types = typed["types"]
        typed["types"] = types | {"EIP712Domain": [*types["EIP712Domain"], member]}
        typed["domain"] = typed["domain"] | {"chainId": chain}
    signed = Account.sign_message(encode_typed_data(full_message=typed), key)
    return "0x" + bytes(signed.signature).hex()


def _memory() -> Door:
    desk = MemorySigningDesk()

    async def invite(kind: str) -> str:
        return desk.invite(kind)

    return Door(desk, desk.clock, invite)


async def _room() -> Door:
    house: House = await memory_house().open()
    await house.begin()

    async def invite(kind: str) -> str:
        return token_of(await getattr(house.desk, kind)(ZOE, "zoe"))

    assert isinstance(house.stage.clock, SetClock)
    return Door(house.signing, house.stage.clock, invite)


@pytest.fixture(params=["memory", "room"])
async def door(request: pytest.FixtureRequest) -> Door:
    return _memory() if request.param == "memory" else await _room()


async def test_an_unknown_token_is_refused_everywhere(door: Door) -> None:
    with pytest.raises(UserError):
        await door.desk.look(UNKNOWN)
    with pytest.raises(UserError):
        await door.prepare(UNKNOWN)
    with pytest.raises(UserError):
        await door.desk.submit(UNKNOWN, body="{}", signature="0x")


async def test_a_first_publication_may_be_signed_by_anybody(door: Door) -> None:
    token = await door.invite("publish")

    request = await door.desk.look(token)
    mine, theirs = await door.prepare(token), await door.prepare(token, signer=OTHER.lower())

    assert (request.kind, request.version, request.signer, request.done) == ("publish", 1, "", "")
    assert request.persona_text.startswith(f"You are {request.twin_name}, ")
    assert request.expires_at > door.clock.now()
    assert ADDRESS in mine.body
    assert OTHER in theirs.body


async def test_the_digest_is_that_of_the_typed_data(door: Door) -> None:
    prepared = await door.prepare(await door.invite("publish"), payout=OTHER)

    digest = bytes.fromhex(prepared.digest[2:])
    signature = bytes.fromhex(sign(prepared)[2:])

    assert eip712.recover_signer(digest, signature) == ADDRESS
    assert OTHER in prepared.body


async def test_a_signature_ends_the_request_with_what_is_in_force(door: Door) -> None:
    token = await door.invite("publish")
    prepared = await door.prepare(token)
    other = await door.prepare(token, payout=OTHER)

    sentence = await door.submit(token, prepared, sign(prepared).upper().replace("0X", "0x"))

    assert sentence
    assert (await door.desk.look(token)).done == sentence
    assert await door.submit(token, prepared, sign(prepared)) == sentence
    with pytest.raises(UserError):
        await door.submit(token, other, sign(other))


async def test_v_may_be_counted_from_nought(door: Door) -> None:
    token = await door.invite("publish")
    prepared = await door.prepare(token)
    raw = bytes.fromhex(sign(prepared)[2:])

    assert await door.submit(token, prepared, "0x" + (raw[:-1] + bytes([raw[-1] - 27])).hex())


@pytest.mark.parametrize("wrong", ["key", "chain", "form", "body"])
async def test_a_wrong_signature_leaves_the_request_open(door: Door, wrong: str) -> None:
    token = await door.invite("publish")
    prepared = await door.prepare(token)
    signature = {
        "key": sign(prepared, OTHER_KEY),
        "chain": sign(prepared, chain=1),
        "form": "0x12",
        "body": sign(prepared),
    }[wrong]
    body = prepared.body if wrong != "body" else prepared.body.replace("twin", "tvin")

    with pytest.raises(UserError, match="chain" if wrong == "chain" else None):
        await door.desk.submit(token, body=body, signature=signature)

    assert (await door.desk.look(token)).done == ""
    assert await door.submit(token, prepared, sign(prepared))


async def test_an_order_is_its_owners_alone(door: Door) -> None:
    await door.published()
    token = await door.invite("pause")

    request = await door.desk.look(token)
    with pytest.raises(UserError):
        await door.prepare(token, signer=OTHER)
    prepared = await door.prepare(token)

    assert (request.kind, request.version, request.signer) == ("pause", None, ADDRESS)
    assert request.persona_text == ""
    assert '"action":"pause"' in prepared.body
    assert await door.submit(token, prepared, sign(prepared))


@pytest.mark.parametrize("signer", ["", "0x12", "0x" + "z" * 40, "nobody.eth"])
async def test_what_is_no_address_is_refused(door: Door, signer: str) -> None:
    token = await door.invite("publish")

    with pytest.raises(UserError):
        await door.prepare(token, signer=signer)


async def test_a_link_expires(door: Door) -> None:
    token = await door.invite("publish")
    prepared = await door.prepare(token)
    door.clock.advance(timedelta(days=1))

    with pytest.raises(LinkExpiredError):
        await door.desk.look(token)
    with pytest.raises(LinkExpiredError):
        await door.submit(token, prepared, sign(prepared))
