"""The registry's own rules: nobody but a twin's creator can say a word about it."""

from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from bot.crypto.eip712 import address_of, parse_address, sign_digest
from bot.crypto.registry_data import (
    HIGHEST_NUMBER,
    RegistryDomain,
    TwinBindingData,
    TwinRevocationData,
)
from bot.domain.ids import derive_twin_id
from tests.revm import CHAIN_ID, Code, Deployed, Machine, RevertedError, account, compiled

KEY, THIEF_KEY = b"\x11" * 32, b"\x12" * 32
CREATOR, THIEF = (parse_address(address_of(key)) for key in (KEY, THIEF_KEY))
RELAYER = account("relayer")
FIRST, SECOND, EVIL = account("first"), account("second"), account("evil")
MANIFEST, NEXT_MANIFEST = b"\xaa" * 32, b"\xbb" * 32
TWIN = derive_twin_id(CREATOR, "mira")
NOBODY = bytes(20)
DELAY_S = 48 * 3600
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

WALLET = """
# pragma version 0.4.3
signed: HashMap[bytes32, bool]
@external
def allow(digest: bytes32):
    self.signed[digest] = True
@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    if self.signed[digest] and signature == b"please":
        return 0x1626ba7e
    return 0xffffffff
"""
SHORT = """
# pragma version 0.4.3
@external
@view
@raw_return
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> Bytes[4]:
    return b"\\x16\\x26\\xba\\x7e"
"""
WRITER = """
# pragma version 0.4.3
count: uint256
@external
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    self.count += 1
    return 0x1626ba7e
"""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry, and signatures for it."""

    machine: Machine
    contract: Deployed

    @property
    def domain(self) -> RegistryDomain:
        return RegistryDomain(CHAIN_ID, self.contract.address)

    def bind(
        self,
        number: int = 1,
        payout: bytes = FIRST,
        manifest: bytes = MANIFEST,
        *,
        slug: str = "mira",
        sender: bytes = CREATOR,
    ) -> None:
        self.contract("bind", slug, manifest, payout, number, sender=sender)

    def relay(
        self,
        number: int = 1,
        payout: bytes = FIRST,
        *,
        creator: bytes = CREATOR,
        signature: bytes | None = None,
        deadline: int | None = None,
        key: bytes = KEY,
    ) -> None:
        until = self.machine.now if deadline is None else deadline
        if signature is None:
            signature = sign_digest(key, self.binding(number, payout, until).digest(self.domain))
        arguments = ("mira", MANIFEST, payout, number, until, signature)
        self.contract("bind_signed", creator, *arguments, sender=RELAYER)

    def binding(self, number: int, payout: bytes, deadline: int) -> TwinBindingData:
        return TwinBindingData(TWIN, "mira", MANIFEST, payout, number, deadline)

    def payout(self) -> bytes:
        answer = self.contract("payout_of", TWIN)
        assert self.contract("payouts_of", [bytes(32), TWIN]) == (NOBODY, answer)
        assert isinstance(answer, bytes)
        return answer

    def state(self) -> tuple[Any, ...]:
        found = self.contract("binding", TWIN)
        assert isinstance(found, tuple)
        return found


@pytest.fixture
def registry() -> Registry:
    machine = Machine()
    return Registry(machine, machine.deploy(Code.shipped("registry"), DELAY_S))


@pytest.mark.parametrize("slug", ["a", "mira", "x" * 64, "a_b-9", ""])
def test_the_twin_id_is_the_formats(registry: Registry, slug: str) -> None:
    assert registry.contract("twin_id", CREATOR, slug) == derive_twin_id(CREATOR, slug)


def test_a_slug_of_65_characters_is_refused(registry: Registry) -> None:
    with pytest.raises(RevertedError):
        registry.bind(slug="x" * 65)


def test_nothing_bound_is_nobody(registry: Registry) -> None:
    assert registry.payout() == NOBODY
    assert registry.contract("active", TWIN) is False
    assert registry.state() == (bytes(32), NOBODY, NOBODY, 0, 0, False)


def test_the_first_binding_works_at_once_and_is_told(registry: Registry) -> None:
    registry.bind()

    (log,) = registry.machine.logs()
    assert (log.name, log.values["twin"], log.values["creator"]) == ("Bound", TWIN, CREATOR)
    assert log.values["slug"] == "mira"
    assert (log.values["payout"], log.values["payout_from"]) == (FIRST, registry.machine.now)
    assert registry.payout() == FIRST
    assert registry.contract("active", TWIN) is True
    assert registry.state() == (MANIFEST, FIRST, NOBODY, 0, 1, False)


def test_another_account_binds_a_twin_of_its_own_and_never_this_one(registry: Registry) -> None:
    registry.bind(payout=EVIL, sender=THIEF)

    assert registry.payout() == NOBODY
    assert registry.contract("payout_of", derive_twin_id(THIEF, "mira")) == EVIL
    registry.bind()
    assert registry.payout() == FIRST


def test_anybody_relays_what_the_creator_has_signed(registry: Registry) -> None:
    registry.relay()

    assert registry.payout() == FIRST
    with pytest.raises(RevertedError, match="number"):
        registry.relay()


def test_every_word_is_under_the_signature(registry: Registry) -> None:
    now = registry.machine.now
    signature = sign_digest(KEY, registry.binding(1, FIRST, now + 9).digest(registry.domain))
    good = (CREATOR, "mira", MANIFEST, FIRST, 1, now + 9)
    others = (THIEF, "mirb", NEXT_MANIFEST, EVIL, 2, now + 10)
    for place, other in enumerate(others):
        changed = [*good]
        changed[place] = other
        with pytest.raises(RevertedError, match="signature"):
            registry.contract("bind_signed", *changed, signature)

    registry.contract("bind_signed", *good, signature)
    assert registry.payout() == FIRST


def test_a_signature_for_another_chain_or_contract_is_refused(registry: Registry) -> None:
    data = registry.binding(1, FIRST, registry.machine.now)
    for domain in (
        RegistryDomain(CHAIN_ID + 1, registry.contract.address),
        RegistryDomain(CHAIN_ID, EVIL),
    ):
        with pytest.raises(RevertedError, match="signature"):
            registry.relay(signature=sign_digest(KEY, data.digest(domain)))


def test_a_signature_is_good_until_its_deadline(registry: Registry) -> None:
    with pytest.raises(RevertedError, match="deadline"):
        registry.relay(deadline=registry.machine.now - 1)
    registry.relay(deadline=registry.machine.now)


def test_the_other_form_of_a_signature_is_refused(registry: Registry) -> None:
    signature = sign_digest(
        KEY, registry.binding(1, FIRST, registry.machine.now).digest(registry.domain)
    )
    high_s = (ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    twisted = signature[:32] + high_s + bytes([55 - signature[64]])
    for wrong in (
        twisted,
        signature[:64] + bytes([signature[64] - 27]),
        signature[:64],
        signature + b"\x00",
        bytes(64) + b"\x1b",
        b"",
    ):
        with pytest.raises(RevertedError, match="signature"):
            registry.relay(signature=wrong)
    registry.relay(signature=signature)


def test_what_recovers_nobody_is_not_a_signature_of_nobody(registry: Registry) -> None:
    with pytest.raises(RevertedError, match="signature"):
        registry.relay(creator=NOBODY, signature=bytes(64) + b"\x1b")


def test_a_contract_signs_by_its_own_rule(registry: Registry) -> None:
    wallet = registry.machine.deploy(compiled(WALLET))
    twin = derive_twin_id(wallet.address, "mira")
    data = TwinBindingData(twin, "mira", MANIFEST, FIRST, 1, registry.machine.now)
    with pytest.raises(RevertedError, match="signature"):
        registry.relay(creator=wallet.address, signature=b"please")

    wallet("allow", data.digest(registry.domain))
    with pytest.raises(RevertedError, match="signature"):
        registry.relay(creator=wallet.address, signature=b"thanks")
    registry.relay(creator=wallet.address, signature=b"please")

    assert registry.contract("payout_of", twin) == FIRST


@pytest.mark.parametrize("source", [SHORT, WRITER])
def test_an_answer_that_is_none_is_no_signature(registry: Registry, source: str) -> None:
    wallet = registry.machine.deploy(compiled(source))

    with pytest.raises(RevertedError, match="signature"):
        registry.relay(creator=wallet.address, signature=b"please")


def test_an_account_with_code_still_signs_with_its_key(registry: Registry) -> None:
    wallet = registry.machine.deploy(compiled(WALLET))
    wallet_here = registry.machine.give_code(CREATOR, wallet)
    registry.relay()
    data = registry.binding(2, FIRST, registry.machine.now)
    wallet_here("allow", data.digest(registry.domain))

    registry.relay(2, signature=b"please")

    assert registry.state()[4] == 2


def test_another_payout_address_waits_for_its_delay(registry: Registry) -> None:
    registry.bind()
    registry.bind(2, SECOND, NEXT_MANIFEST)
    due = registry.machine.now + DELAY_S

    assert registry.state() == (NEXT_MANIFEST, FIRST, SECOND, due, 2, False)
    registry.machine.now = due - 1
    assert registry.payout() == FIRST
    registry.machine.now = due
    assert registry.payout() == SECOND
    assert registry.state() == (NEXT_MANIFEST, SECOND, NOBODY, 0, 2, False)
    registry.bind(3, FIRST)
    assert registry.payout() == SECOND


def test_a_thiefs_change_is_taken_back_before_it_counts(registry: Registry) -> None:
    registry.bind()
    registry.bind(2, EVIL)
    registry.machine.now += DELAY_S - 1

    registry.bind(3, FIRST)
    assert registry.state()[2:4] == (NOBODY, 0)
    registry.machine.now += 10 * DELAY_S

    assert registry.payout() == FIRST
    with pytest.raises(RevertedError, match="number"):
        registry.bind(2, EVIL)


def test_a_third_address_starts_the_delay_anew_and_the_same_one_does_not(
    registry: Registry,
) -> None:
    registry.bind()
    registry.bind(2, SECOND)
    registry.machine.now += DELAY_S - 10
    registry.bind(3, SECOND, NEXT_MANIFEST)
    assert registry.state()[3] == registry.machine.now + 10

    registry.bind(4, EVIL)
    registry.machine.now += 10
    assert registry.payout() == FIRST
    assert registry.state()[2:4] == (EVIL, registry.machine.now - 10 + DELAY_S)


def test_numbers_only_go_up_and_end(registry: Registry) -> None:
    registry.bind(5)
    for number in (0, 4, 5):
        with pytest.raises(RevertedError, match="number"):
            registry.bind(number)
    registry.bind(HIGHEST_NUMBER)
    with pytest.raises(RevertedError):
        registry.bind(HIGHEST_NUMBER)


@pytest.mark.parametrize(
    ("payout", "manifest", "words"), [(NOBODY, MANIFEST, "payout"), (FIRST, bytes(32), "manifest")]
)
def test_a_zero_is_refused(registry: Registry, payout: bytes, manifest: bytes, words: str) -> None:
    with pytest.raises(RevertedError, match=words):
        registry.bind(1, payout, manifest)


def test_a_revocation_is_final_and_leaves_the_payout_in_force(registry: Registry) -> None:
    registry.bind()
    registry.bind(2, EVIL)

    registry.contract("revoke", "mira", sender=CREATOR)

    (log,) = registry.machine.logs()
    assert (log.name, log.values["payout"]) == ("Revoked", FIRST)
    registry.machine.now += 2 * DELAY_S
    assert registry.payout() == FIRST
    assert registry.contract("active", TWIN) is False
    assert registry.state() == (MANIFEST, FIRST, NOBODY, 0, 2, True)
    with pytest.raises(RevertedError, match="revoked"):
        registry.bind(3)
    with pytest.raises(RevertedError, match="revoked"):
        registry.relay(3)
    with pytest.raises(RevertedError, match="revoked"):
        registry.contract("revoke", "mira", sender=CREATOR)


def test_a_signed_revocation_is_relayed_and_nobody_elses(registry: Registry) -> None:
    registry.bind()
    now = registry.machine.now
    data = TwinRevocationData(TWIN, "mira", now)
    for signature, deadline, words in (
        (sign_digest(THIEF_KEY, data.digest(registry.domain)), now, "signature"),
        (sign_digest(KEY, data.digest(registry.domain)), now + 1, "signature"),
        (sign_digest(KEY, data.digest(registry.domain)), now - 1, "deadline"),
    ):
        with pytest.raises(RevertedError, match=words):
            registry.contract("revoke_signed", CREATOR, "mira", deadline, signature)

    signature = sign_digest(KEY, data.digest(registry.domain))
    registry.contract("revoke_signed", CREATOR, "mira", now, signature, sender=RELAYER)

    assert registry.state()[5] is True


def test_a_twin_is_revoked_before_it_was_ever_bound(registry: Registry) -> None:
    registry.contract("revoke", "mira", sender=CREATOR)

    assert registry.payout() == NOBODY
    with pytest.raises(RevertedError, match="revoked"):
        registry.bind()


def test_the_digests_are_the_contracts_and_a_wallets(registry: Registry) -> None:
    now = registry.machine.now
    binding = registry.binding(7, FIRST, now)
    revocation = TwinRevocationData(TWIN, "mira", now)

    told = registry.contract("binding_digest", CREATOR, "mira", MANIFEST, FIRST, 7, now)
    assert binding.digest(registry.domain) == told
    told = registry.contract("revocation_digest", CREATOR, "mira", now)
    assert revocation.digest(registry.domain) == told
    for data in (binding, revocation):
        message = encode_typed_data(full_message=data.typed_data(registry.domain))
        signed = Account.sign_message(message, KEY)
        assert bytes(signed.message_hash) == data.digest(registry.domain)
        assert bytes(signed.signature) == sign_digest(KEY, data.digest(registry.domain))


def test_there_is_no_function_that_says_who_may_do_more() -> None:
    writing = {
        entry["name"]
        for entry in Code.shipped("registry").abi
        if entry["type"] == "function" and entry["stateMutability"] not in {"view", "pure"}
    }

    assert writing == {"bind", "bind_signed", "revoke", "revoke_signed"}


def test_a_delay_beyond_a_month_is_refused() -> None:
    with pytest.raises(RevertedError, match="delay"):
        Machine().deploy(Code.shipped("registry"), 30 * 86_400 + 1)
