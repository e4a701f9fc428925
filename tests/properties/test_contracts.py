"""Vault, registry and a hostile token under any order of calls, against a model of their rules.

Whatever happens: nobody but the payout address in force is paid, nothing is paid twice or before
its delay has passed, what is committed is covered, and one payee or token trick never stops the
others (docs/contracts.md names each invariant).
"""

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.domain.ids import derive_twin_id
from bot.domain.settlement import NO_PAYOUT, ClaimLeaf
from bot.settlement.claims import ClaimTree
from tests.fakes.hostile_token import Pull, Way, hostile_token
from tests.fakes.registry import Bound
from tests.fakes.vault_model import NO_ROOT, Model, Root
from tests.revm import Code, Deployed, Machine, RevertedError, account

SETTLER, GUARDIAN, OWNER, TREASURY, STRANGER = ROLES = tuple(
    account(name) for name in ("settler", "guardian", "owner", "treasury", "stranger")
)
CREATORS = tuple(account(f"creator {number}") for number in range(70))
TWINS = tuple(derive_twin_id(creator, "twin") for creator in CREATORS)
PAYEES = tuple(account(f"payee {number}") for number in range(4))
SUPPLY, ALLOWANCE = 6_000, 5_000
PAYOUT_DELAY_S = 500

# Few twins do most: the others fill a second chunk.
NUMBERS = st.one_of(st.integers(0, 3), st.integers(64, 66))
SENDERS = st.sampled_from(ROLES)
WAYS = st.one_of(st.just(Way.OK), st.sampled_from(list(Way)))
PULLS = st.one_of(st.just(Pull.OK), st.sampled_from(list(Pull)))


class ContractMachine(RuleBasedStateMachine):
    """One vault with everybody around it."""

    machine: Machine
    model: Model
    token: Deployed
    registry: Deployed
    vault: Deployed

    @initialize(delay_s=st.sampled_from([1_000, 0]), count=st.sampled_from([1, 5, 67]))
    def deploy(self, delay_s: int, count: int) -> None:
        self.machine = Machine()
        self.count = count
        self.earned = [0] * count
        self.payouts = [PAYEES[number % len(PAYEES)] for number in range(count)]
        self.settler = SETTLER
        self.model = Model(delay_s, PAYOUT_DELAY_S, SUPPLY, ALLOWANCE)
        self.token = self.machine.deploy(hostile_token(), TREASURY, SUPPLY)
        self.registry = self.machine.deploy(Code.shipped("registry"), PAYOUT_DELAY_S)
        self.vault = self.machine.deploy(
            Code.shipped("settlement"),
            *(self.token.address, TREASURY, OWNER, SETTLER, GUARDIAN, delay_s),
            self.registry.address,
        )
        self.token("approve", self.vault.address, ALLOWANCE, sender=TREASURY)
        self.claimed_before: dict[bytes, int] = {}
        self.epoch_before = 0

    def says(self, expected: bool, contract: Deployed, *call: object, sender: bytes) -> None:  # noqa: FBT001
        name, *arguments = call
        reason = None
        try:
            contract(str(name), *arguments, sender=sender)
        except RevertedError as error:
            reason = str(error)
        assert (reason is None) is expected, f"{name}: {reason or 'carried out'}"

    @rule(number=NUMBERS, units=st.sampled_from([1, 2, 10, 33, 100, 2_000]))
    def earn(self, number: int, units: int) -> None:
        self.earned[number % self.count] += units

    @rule(number=NUMBERS, payee=st.sampled_from([*PAYEES, NO_PAYOUT]))
    def name_in_manifest(self, number: int, payee: bytes) -> None:
        self.payouts[number % self.count] = payee

    @rule()
    def forget_some_earnings(self) -> None:
        """A settler may post any root: also one that says less than before."""
        self.earned = [units // 2 for units in self.earned]

    @rule(
        number=NUMBERS,
        units=st.sampled_from([1, 2, 10, 33]),
        early_s=st.sampled_from([0, 1]),
        short=st.sampled_from([0, 9]),
    )
    def earn_and_commit(self, number: int, units: int, early_s: int, short: int) -> None:
        self.earned[number % self.count] += units
        more = max(-short, self.model.roots[-1].fee_total - sum(self.earned))
        self.machine.now = max(self.machine.now, self.model.due - early_s)
        # Nobody has the zero address's key, and so nobody is the settler after a veto.
        self.post(self.settler if self.model.has_settler else SETTLER, 1, more, 1, forks=False)

    @rule(
        number=NUMBERS,
        units=st.sampled_from([1, 2, 10, 33]),
        sender=SENDERS,
        early_s=st.sampled_from([0, 0, 1]),
        short=st.sampled_from([0, 9]),
        way=st.sampled_from(list(Way)),
        payee=st.sampled_from([None, *PAYEES]),
    )
    def earn_and_be_paid(  # noqa: PLR0917 - hypothesis passes them by name
        self,
        number: int,
        units: int,
        sender: bytes,
        early_s: int,
        short: int,
        way: Way,
        payee: bytes | None,
    ) -> None:
        if payee is not None:
            self.bind(number, payee, 1)
        self.behave(Way.OK, Pull.OK)
        self.earn_and_commit(number, units, 0, short)
        self.behave(way, Pull.OK)
        self.machine.now = max(self.machine.now, self.model.due - early_s)
        self.claim_what_stands(sender, number // 64)

    @rule(
        sender=st.one_of(st.just(SETTLER), SENDERS),
        step=st.sampled_from([1, 1, 1, 1, 0, 2]),
        more=st.sampled_from([0, 0, 0, -1, 1, 30]),
        log=st.sampled_from([1, 1, 1, 0, -1]),
        forks=st.booleans(),
    )
    def commit(self, sender: bytes, step: int, more: int, log: int, forks: bool) -> None:  # noqa: FBT001
        self.post(sender, step, more, log, forks=forks)

    def post(self, sender: bytes, step: int, more: int, log: int, *, forks: bool) -> None:
        leaves = tuple(
            ClaimLeaf(TWINS[i], self.payouts[i], self.earned[i], bytes(32))
            for i in range(self.count)
        )
        before = self.model.roots[-1]
        size = max(0, before.log_size + log)
        log_root = bytes([size % 256, forks]) * 16 if log or forks else before.log_root
        total = max(0, sum(self.earned) + more)
        root = Root(ClaimTree(leaves), leaves, total, size, log_root)
        epoch = self.model.epoch + step
        works = sender == self.settler and self.model.commit(epoch, root, self.machine.now)
        call = ("commit", epoch, root.tree.root, total, log_root, size, bytes(32))
        self.says(works, self.vault, *call, sender=sender)

    @rule(sender=SENDERS, chunk=st.integers(0, 1))
    def claim_what_stands(self, sender: bytes, chunk: int) -> None:
        self.relay(self.model.claimable(self.machine.now), sender, chunk, None)

    @rule(
        sender=SENDERS,
        chunk=st.integers(0, 1),
        old=st.integers(1, 3),
        forged=st.sampled_from([None, "payout", "units", "proof"]),
    )
    def claim_something_else(self, sender: bytes, chunk: int, old: int, forged: str | None) -> None:
        self.relay(self.model.roots[-min(old, len(self.model.roots))], sender, chunk, forged)

    def relay(self, root: Root, sender: bytes, chunk: int, forged: str | None) -> None:
        stands = self.model.claimable(self.machine.now)
        if not root.leaves:
            return
        run = root.tree.chunk(1, chunk % (1 + (self.count - 1) // 64))
        leaves, proof = list(run.leaves), list(run.proof)
        first = leaves[0]
        if forged == "payout":
            leaves[0] = ClaimLeaf(first.twin, STRANGER, first.cumulative_units, first.audit)
        elif forged == "units":
            leaves[0] = ClaimLeaf(first.twin, first.payout, 2**255, first.audit)
        elif forged == "proof":
            proof.append(bytes(32))
        covered = not forged and root.tree.root == stands.tree.root
        self.pay(covered, leaves, sender, "claim_chunk", _words(leaves), proof)

    @rule(sender=SENDERS, number=NUMBERS)
    def claim_one(self, sender: bytes, number: int) -> None:
        root = self.model.roots[-1]
        if not root.leaves:
            return
        leaf = root.leaves[number % self.count]
        proof = list(root.tree.proof(number % self.count))
        covered = root.tree.root == self.model.claimable(self.machine.now).tree.root
        self.pay(covered, [leaf], sender, "claim", *_words([leaf])[0], proof)

    def pay(
        self,
        covered: bool,  # noqa: FBT001
        leaves: Sequence[ClaimLeaf],
        sender: bytes,
        *call: object,
    ) -> None:
        now = self.machine.now
        in_force = {
            leaf.twin: self.model.twins.get(leaf.twin, Bound()).in_force(now) or leaf.payout
            for leaf in leaves
        }
        works = covered and self.model.claim(leaves, now)
        self.says(works, self.vault, *call, sender=sender)
        for log in self.machine.logs() if works else ():
            assert log.name in {"Claimed", "ClaimFailed"}
            assert log.values["payout"] == in_force[log.values["twin"]]

    @rule(number=NUMBERS, units=st.sampled_from([1, 33]))
    def earn_and_be_vetoed(self, number: int, units: int) -> None:
        self.earn_and_commit(number, units, 0, 0)
        self.veto(GUARDIAN)

    @rule(sender=SENDERS)
    def veto(self, sender: bytes) -> None:
        works = sender == GUARDIAN and self.model.veto(self.machine.now)
        if works:
            self.settler = NO_PAYOUT
        self.says(works, self.vault, "veto", sender=sender)

    @rule(sender=st.one_of(st.just(OWNER), SENDERS), settler=st.sampled_from([SETTLER, STRANGER]))
    def name_settler(self, sender: bytes, settler: bytes) -> None:
        if sender == OWNER:
            self.settler = settler
            self.model.has_settler = True
        self.says(sender == OWNER, self.vault, "set_settler", settler, sender=sender)

    @rule(
        number=NUMBERS, payee=st.sampled_from([*PAYEES, NO_PAYOUT]), step=st.sampled_from([1, 2, 0])
    )
    def bind(self, number: int, payee: bytes, step: int) -> None:
        place = number % self.count
        twin = self.model.twins.setdefault(TWINS[place], Bound())
        counted = twin.number + step
        works = twin.bind(counted, payee, self.machine.now, PAYOUT_DELAY_S)
        call = ("bind", "twin", b"\x01" * 32, payee, counted)
        self.says(works, self.registry, *call, sender=CREATORS[place])

    @rule(number=NUMBERS)
    def revoke(self, number: int) -> None:
        place = number % self.count
        works = self.model.twins.setdefault(TWINS[place], Bound()).revoke(self.machine.now)
        self.says(works, self.registry, "revoke", "twin", sender=CREATORS[place])

    @rule(way=WAYS, pull=PULLS)
    def behave(self, way: Way, pull: Pull) -> None:
        self.model.way, self.model.pull = way, pull
        self.token("behave", way, pull)
        if way is Way.CALLS_BACK and self.model.roots[-1] is not NO_ROOT:
            run = self.model.roots[-1].tree.chunk(1, 0)
            self.token(
                "put", self.vault.encoded("claim_chunk", _words(run.leaves), list(run.proof))
            )

    @rule(payee=st.sampled_from(PAYEES), is_blocked=st.booleans())
    def block(self, payee: bytes, is_blocked: bool) -> None:  # noqa: FBT001
        (self.model.blocked.add if is_blocked else self.model.blocked.discard)(payee)
        self.token("block", payee, is_blocked)

    @rule(units=st.integers(1, 50))
    def donate(self, units: int) -> None:
        self.model.vault += units
        self.token("donate", self.vault.address, units)

    @rule(seconds=st.sampled_from([1, 499, 500, 999, 1_000]))
    def wait(self, seconds: int) -> None:
        self.machine.now += seconds

    @invariant()
    @precondition(lambda self: hasattr(self, "vault"))
    def the_chain_is_the_model(self) -> None:
        model, now = self.model, self.machine.now
        stands, newest = model.claimable(now), model.roots[-1]
        epoch, fee_total, log_size, fee_root, log_root, _, total, due = self.vault("state")
        assert (epoch, fee_total, log_size) == (model.epoch, newest.fee_total, newest.log_size)
        assert (fee_root, log_root) == (newest.tree.root, newest.log_root)
        assert (total, due) == (model.claimed_total, model.due)
        assert self.vault("claimable_root") == stands.tree.root
        assert self.token("balanceOf", self.vault.address) == model.vault
        assert self.token("balanceOf", TREASURY) == model.treasury
        for payee in (*PAYEES, STRANGER, OWNER, GUARDIAN, SETTLER):
            assert self.token("balanceOf", payee) == model.paid.get(payee, 0)

    @invariant()
    @precondition(lambda self: hasattr(self, "vault"))
    def money_is_where_it_must_be(self) -> None:
        claimed = self.claimed()
        total = self.vault("claimed_total")
        assert total == sum(claimed.values())
        assert total <= self.model.claimable(self.machine.now).fee_total
        assert all(units >= self.claimed_before[twin] for twin, units in claimed.items())
        assert self.token("balanceOf", self.vault.address) >= self.vault("state")[1] - total
        assert self.token("balanceOf", TREASURY) >= SUPPLY - ALLOWANCE
        assert self.vault("state")[0] - self.epoch_before in {0, 1}
        assert self.token("entered") == 0
        self.claimed_before = claimed
        self.epoch_before = self.vault("state")[0]

    def claimed(self) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for start in range(0, self.count, 64):
            twins = TWINS[start : min(start + 64, self.count)]
            found |= zip(twins, self.vault("claimed_of", twins), strict=True)
        self.claimed_before = {twin: self.claimed_before.get(twin, 0) for twin in found}
        return found

    @invariant()
    @precondition(lambda self: hasattr(self, "vault"))
    def the_registry_says_what_creators_said(self) -> None:
        now = self.machine.now
        twins = [*self.model.twins][:64]
        expected = tuple(self.model.twins[twin].in_force(now) or NO_PAYOUT for twin in twins)
        assert self.registry("payouts_of", twins) == expected
        for twin in twins:
            bound = self.model.twins[twin]
            assert self.registry("active", twin) is (bound.number > 0 and not bound.is_revoked)


def _words(leaves: Sequence[ClaimLeaf]) -> list[tuple[bytes, bytes, int, bytes]]:
    return [(leaf.twin, leaf.payout, leaf.cumulative_units, leaf.audit) for leaf in leaves]


TestContracts = ContractMachine.TestCase
TestContracts.settings = settings(
    stateful_step_count=40, suppress_health_check=list(HealthCheck), print_blob=True
)
