"""The vault with a registry, with tokens and payees that misbehave, and with each key alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from bot.domain.ids import derive_twin_id
from bot.domain.settlement import NO_PAYOUT, ClaimLeaf
from bot.settlement.claims import ClaimTree
from tests.fakes.hostile_token import Pull, Way, hostile_token
from tests.revm import Code, Deployed, Machine, RevertedError, account, compiled

SETTLER, GUARDIAN, OWNER, TREASURY, STRANGER = (
    account(name) for name in ("settler", "guardian", "owner", "treasury", "stranger")
)
CREATORS = tuple(account(f"creator {number}") for number in range(3))
TWINS = tuple(derive_twin_id(creator, "twin") for creator in CREATORS)
PAYEES = tuple(account(f"payee {number}") for number in range(3))
NAMED = account("named in the registry")
SUPPLY, ALLOWANCE = 10_000, 1_000
DELAY_S, PAYOUT_DELAY_S = 1_000, 500

BROKEN = """
# pragma version 0.4.3
way: uint256
@external
def behave(way: uint256):
    self.way = way
@external
@view
def payout_of(twin: bytes32) -> address:
    assert self.way == 0
    return empty(address)
@external
@view
def payouts_of(twins: DynArray[bytes32, 64]) -> DynArray[address, 64]:
    assert self.way != 1
    payouts: DynArray[address, 64] = []
    if self.way == 3:
        payouts.append(self)
    if self.way != 2:
        for twin: bytes32 in twins:
            payouts.append(empty(address))
    return payouts
"""


@dataclass(frozen=True, slots=True)
class House:
    """Everything deployed."""

    machine: Machine
    token: Deployed
    registry: Deployed
    vault: Deployed

    @classmethod
    def build(
        cls,
        *,
        delay_s: int = 0,
        token: Callable[[Machine], Deployed] | None = None,
        registry: Callable[[Machine], Deployed] | None = None,
    ) -> "House":
        machine = Machine()
        made = token(machine) if token else machine.deploy(hostile_token(), TREASURY, SUPPLY)
        book = (
            registry(machine)
            if registry
            else machine.deploy(Code.shipped("registry"), PAYOUT_DELAY_S)
        )
        roles = (TREASURY, OWNER, SETTLER, GUARDIAN)
        vault = machine.deploy(
            Code.shipped("settlement"), made.address, *roles, delay_s, book.address
        )
        made("approve", vault.address, ALLOWANCE, sender=TREASURY)
        return cls(machine, made, book, vault)

    def commit(
        self, epoch: int, *leaves: ClaimLeaf, total: int | None = None, sender: bytes = SETTLER
    ) -> None:
        fee_total = sum(leaf.cumulative_units for leaf in leaves) if total is None else total
        log = (bytes([epoch]) * 32, epoch)
        root = ClaimTree(leaves).root
        self.vault("commit", epoch, root, fee_total, *log, bytes(32), sender=sender)

    def claim(self, *leaves: ClaimLeaf, gas: int | None = None) -> int:
        run = ClaimTree(leaves).chunk(1, 0)
        words = [_words(leaf) for leaf in run.leaves]
        paid = self.vault("claim_chunk", words, list(run.proof), sender=STRANGER, gas=gas)
        assert isinstance(paid, int)
        return paid

    def claim_one(self, leaf: ClaimLeaf, proof: Sequence[bytes] = ()) -> int:
        paid = self.vault("claim", *_words(leaf), list(proof), sender=STRANGER)
        assert isinstance(paid, int)
        return paid

    def holds(self, owner: bytes) -> int:
        units = self.token("balanceOf", owner)
        assert isinstance(units, int)
        return units

    def behave(self, way: Way, pull: Pull = Pull.OK) -> None:
        self.token("behave", way, pull)

    def bind(self, number: int, payout: bytes, place: int = 0) -> None:
        call = ("bind", "twin", b"\x01" * 32, payout, number)
        self.registry(*call, sender=CREATORS[place])


def _words(leaf: ClaimLeaf) -> tuple[bytes, bytes, int, bytes]:
    return (leaf.twin, leaf.payout, leaf.cumulative_units, leaf.audit)


def leaf_of(place: int, units: int, payout: bytes | None = None) -> ClaimLeaf:
    return ClaimLeaf(TWINS[place], PAYEES[place] if payout is None else payout, units, bytes(32))


@pytest.fixture
def house() -> House:
    return House.build()


@pytest.mark.parametrize("one", [False, True])
def test_the_registrys_address_is_paid_instead_of_the_leafs(house: House, one: bool) -> None:  # noqa: FBT001
    house.bind(1, NAMED)
    house.commit(1, leaf_of(0, 30))

    paid = house.claim_one(leaf_of(0, 30)) if one else house.claim(leaf_of(0, 30))

    (log,) = house.machine.logs()
    assert (log.name, log.values["payout"], log.values["amount"]) == ("Claimed", NAMED, 30)
    assert (paid, house.holds(NAMED), house.holds(PAYEES[0])) == (30, 30, 0)


def test_only_the_twins_that_are_bound_are_paid_elsewhere(house: House) -> None:
    leaves = tuple(leaf_of(place, 10 + place) for place in range(3))
    house.bind(1, NAMED, 1)
    house.commit(1, *leaves)

    assert house.claim(*leaves) == 33
    assert [house.holds(payee) for payee in (*PAYEES, NAMED)] == [10, 0, 12, 11]


def test_a_leaf_without_an_address_is_paid_where_the_registry_says(house: House) -> None:
    house.commit(1, leaf_of(0, 30, NO_PAYOUT))
    assert house.claim(leaf_of(0, 30, NO_PAYOUT)) == 0

    house.bind(1, NAMED)

    assert house.claim(leaf_of(0, 30, NO_PAYOUT)) == 30
    assert house.holds(NAMED) == 30


def test_a_change_of_the_payout_address_counts_after_its_delay(house: House) -> None:
    house.bind(1, NAMED)
    house.bind(2, STRANGER)
    house.commit(1, leaf_of(0, 30))
    house.machine.now += PAYOUT_DELAY_S - 1
    house.claim(leaf_of(0, 30))
    house.commit(2, leaf_of(0, 50))
    house.machine.now += 1
    house.claim(leaf_of(0, 50))

    assert (house.holds(NAMED), house.holds(STRANGER)) == (30, 20)


def test_what_was_earned_stays_due_after_a_revocation(house: House) -> None:
    house.bind(1, NAMED)
    house.commit(1, leaf_of(0, 30))
    house.registry("revoke", "twin", sender=CREATORS[0])

    assert house.claim(leaf_of(0, 30)) == 30
    assert house.holds(NAMED) == 30


def test_too_little_gas_never_pays_the_leafs_address_instead(house: House) -> None:
    house.bind(1, NAMED)
    house.commit(1, leaf_of(0, 30))
    outcomes = set()
    for gas in range(22_000, 200_000, 500):
        try:
            outcomes.add(house.claim(leaf_of(0, 30), gas=gas))
        except RevertedError:
            outcomes.add(-1)
        assert house.holds(PAYEES[0]) == 0
        assert house.holds(NAMED) == house.vault("claimed", TWINS[0])

    assert {-1, 30} <= outcomes
    assert house.holds(NAMED) == 30


@pytest.mark.parametrize("way", [1, 2, 3])
def test_a_registry_that_fails_stops_claims_and_sends_nothing_elsewhere(way: int) -> None:
    house = House.build(registry=lambda machine: machine.deploy(compiled(BROKEN)))
    house.commit(1, leaf_of(0, 30))
    house.registry("behave", way)

    with pytest.raises(RevertedError):
        house.claim(leaf_of(0, 30))
    with pytest.raises(RevertedError):
        house.claim_one(leaf_of(0, 30))
    house.registry("behave", 0)
    assert house.claim(leaf_of(0, 30)) == 30


def test_what_is_no_registry_no_token_or_no_delay_makes_no_vault(house: House) -> None:
    code = Code.shipped("settlement")
    token, registry = house.token.address, house.registry.address
    good = [token, TREASURY, OWNER, SETTLER, GUARDIAN, 0, registry]
    wrong = {0: STRANGER, 1: NO_PAYOUT, 5: 30 * 86_400 + 1, 6: STRANGER}
    for place, value in wrong.items():
        with pytest.raises(RevertedError):
            house.machine.deploy(code, *(value if i == place else v for i, v in enumerate(good)))
    with pytest.raises(RevertedError):
        house.machine.deploy(code, *good[:6], token)

    house.machine.deploy(code, *good)
    house.machine.deploy(code, *good[:6], NO_PAYOUT)


@pytest.mark.parametrize(
    ("way", "paid"),
    [
        (Way.OK, 60),
        (Way.SAYS_NOTHING, 60),
        (Way.KEEPS_A_FEE, 60),
        (Way.PAYS_BACK, 60),
        (Way.SAYS_FALSE, 0),
        (Way.REVERTS, 0),
        (Way.GARBAGE, 0),
        (Way.SAYS_TWO, 0),
        (Way.LIES, None),
        (Way.GREEDY, None),
    ],
)
def test_each_way_of_a_token(house: House, way: Way, paid: int | None) -> None:
    leaves = tuple(leaf_of(place, 10 * (place + 1)) for place in range(3))
    house.commit(1, *leaves, total=100)
    house.behave(way)

    if paid is None:
        with pytest.raises(RevertedError, match="token"):
            house.claim(*leaves)
    else:
        assert house.claim(*leaves) == paid

    counted = house.vault("claimed_total")
    assert counted == (paid or 0)
    assert house.holds(house.vault.address) >= 100 - counted
    house.behave(Way.OK)
    assert house.claim(*leaves) == 60 - counted


@pytest.mark.parametrize("pull", [Pull.KEEPS_A_FEE, Pull.SAYS_FALSE, Pull.REVERTS])
def test_a_treasury_that_does_not_deliver_stops_the_commit(house: House, pull: Pull) -> None:
    house.behave(Way.OK, pull)
    with pytest.raises(RevertedError):
        house.commit(1, leaf_of(0, 30))

    house.behave(Way.OK, Pull.SAYS_NOTHING)
    house.commit(1, leaf_of(0, 30))
    assert house.holds(house.vault.address) == 30


@pytest.mark.parametrize("blocked", [0, 1, 2])
def test_a_payee_that_cannot_be_paid_stops_nobody(house: House, blocked: int) -> None:
    leaves = tuple(leaf_of(place, 10) for place in range(3))
    house.commit(1, *leaves)
    house.token("block", PAYEES[blocked], True)  # noqa: FBT003

    assert house.claim(*leaves) == 20
    failed = [log for log in house.machine.logs() if log.name == "ClaimFailed"]
    assert [log.values["payout"] for log in failed] == [PAYEES[blocked]]

    house.bind(1, NAMED, blocked)
    assert house.claim(*leaves) == 10
    assert house.holds(NAMED) == 10


@pytest.mark.parametrize("door", ["claim_chunk", "claim", "commit", "veto", "set_settler"])
def test_a_token_that_calls_back_finds_every_door_shut(house: House, door: str) -> None:
    """The token itself is settler, guardian and owner here: only the lock is left."""
    token = house.token.address
    roles = (TREASURY, token, token, token)
    delay_s = DELAY_S if door == "veto" else 0
    vault = house.machine.deploy(
        Code.shipped("settlement"), token, *roles, delay_s, house.registry.address
    )
    house = House(house.machine, house.token, house.registry, vault)
    house.token("approve", vault.address, ALLOWANCE, sender=TREASURY)
    leaf, other = leaf_of(0, 10), leaf_of(1, 10)
    proof = list(ClaimTree([leaf, other]).proof(1))
    root = ClaimTree([leaf, other]).root
    commits = [(number, root, 20, bytes([number]) * 32, number, bytes(32)) for number in (1, 2)]
    house.token("call", vault.address, vault.encoded("commit", *commits[0]))
    house.machine.now += delay_s
    if door == "veto":
        house.token("call", vault.address, vault.encoded("commit", *commits[1]))
    calls: dict[str, tuple[object, ...]] = {
        "claim_chunk": ([_words(leaf), _words(other)], []),
        "claim": (*_words(other), proof),
        "commit": commits[1],
        "veto": (),
        "set_settler": (STRANGER,),
    }
    house.behave(Way.CALLS_BACK)
    house.token("put", vault.encoded(door, *calls[door]))

    assert house.claim_one(leaf, ClaimTree([leaf, other]).proof(0)) == 10
    assert (house.token("tries"), house.token("entered")) == (1, 0)
    house.behave(Way.OK)
    # The same call, when the token's turn is over, is carried out.
    house.token("call", vault.address, vault.encoded(door, *calls[door]))


def test_the_largest_numbers_overflow_nothing(house: House) -> None:
    huge = ClaimLeaf(TWINS[1], PAYEES[1], 2**256 - 1, bytes(32))
    house.commit(1, leaf_of(0, 30), huge, total=40)

    assert house.claim(leaf_of(0, 30), huge) == 30
    with pytest.raises(RevertedError):
        house.commit(2, leaf_of(0, 30), total=2**128 - 1)
    assert house.holds(house.vault.address) == 10


def test_dust_is_paid_with_the_next_unit_and_never_twice(house: House) -> None:
    for epoch, units in enumerate((0, 1, 1, 2), start=1):
        house.commit(epoch, leaf_of(0, units))
        house.claim(leaf_of(0, units))
        house.claim(leaf_of(0, units))

    assert house.holds(PAYEES[0]) == 2


@pytest.mark.parametrize("role", [SETTLER, GUARDIAN, OWNER, TREASURY, STRANGER, PAYEES[0]])
def test_each_key_alone_calls_what_is_its_own_and_no_more(role: bytes) -> None:
    house = House.build(delay_s=DELAY_S)
    house.commit(1, leaf_of(0, 30))
    allowed = set()
    for name, *arguments in (
        ("veto",),
        ("set_settler", SETTLER),
        ("commit", 2, bytes(32), 30, bytes(32), 9, bytes(32)),
    ):
        copy = House.build(delay_s=DELAY_S)
        copy.commit(1, leaf_of(0, 30))
        copy.machine.now += DELAY_S if name == "commit" else 0
        try:
            copy.vault(name, *arguments, sender=role)
            allowed.add(name)
        except RevertedError:
            assert copy.holds(copy.vault.address) == 30

    own = {GUARDIAN: {"veto"}, OWNER: {"set_settler"}, SETTLER: {"commit"}}
    assert allowed == own.get(role, set())


def test_a_stolen_settler_key_takes_the_allowance_at_most_and_only_after_the_delay() -> None:
    house = House.build(delay_s=DELAY_S)
    with pytest.raises(RevertedError):
        house.commit(1, leaf_of(2, ALLOWANCE + 1, STRANGER))
    house.commit(1, leaf_of(2, ALLOWANCE, STRANGER))
    for _ in range(2):
        with pytest.raises(RevertedError, match="proof"):
            house.claim(leaf_of(2, ALLOWANCE, STRANGER))
        house.machine.now += DELAY_S - 1

    house.machine.now += 1
    house.claim(leaf_of(2, ALLOWANCE, STRANGER))
    with pytest.raises(RevertedError):
        house.commit(2, leaf_of(2, ALLOWANCE + 1, STRANGER))

    assert house.holds(STRANGER) == ALLOWANCE
    assert house.holds(TREASURY) == SUPPLY - ALLOWANCE


def test_a_veto_leaves_the_money_for_what_is_really_owed() -> None:
    house = House.build(delay_s=DELAY_S)
    house.commit(1, leaf_of(0, 30))
    house.machine.now += DELAY_S
    house.commit(2, leaf_of(2, ALLOWANCE, STRANGER))
    house.vault("veto", sender=GUARDIAN)
    house.machine.now += 10 * DELAY_S
    with pytest.raises(RevertedError, match="proof"):
        house.claim(leaf_of(2, ALLOWANCE, STRANGER))
    assert house.claim(leaf_of(0, 30)) == 30

    house.vault("set_settler", SETTLER, sender=OWNER)
    house.commit(3, leaf_of(0, 50))
    house.machine.now += DELAY_S
    assert house.claim(leaf_of(0, 50)) == 20
    assert house.vault("state")[0] == 3


def test_while_a_root_waits_no_more_is_paid_than_the_standing_one_covers() -> None:
    """Else a veto would leave more paid than was ever owed, and stop the vault for good."""
    house = House.build(delay_s=DELAY_S)
    leaves = (leaf_of(0, 30), leaf_of(1, 30))
    house.commit(1, *leaves, total=40)
    house.machine.now += DELAY_S
    house.commit(2, *leaves, total=60)

    assert house.claim(*leaves) == 30
    house.vault("veto", sender=GUARDIAN)
    assert house.claim(*leaves) == 0
    assert house.vault("state")[1] == 40


def test_a_treasury_that_takes_its_allowance_back_stops_commits_and_no_claims(
    house: House,
) -> None:
    house.commit(1, leaf_of(0, 30))
    house.token("approve", house.vault.address, 0, sender=TREASURY)

    with pytest.raises(RevertedError):
        house.commit(2, leaf_of(0, 31))
    assert house.claim(leaf_of(0, 30)) == 30
