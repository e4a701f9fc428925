"""What vault, registry and token must do, in Python: the contracts' rules told a second time.

Another structure than the contracts': histories instead of packed words, so that a mistake is
unlikely to be made twice.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from bot.domain.settlement import NO_PAYOUT, ClaimLeaf
from bot.settlement.claims import ClaimTree
from tests.fakes.hostile_token import Pull, Way
from tests.fakes.registry import Bound

_MOVES_NOTHING = {Way.SAYS_FALSE, Way.REVERTS, Way.GARBAGE, Way.SAYS_TWO}


@dataclass(frozen=True, slots=True)
class Root:
    """One commitment."""

    tree: ClaimTree
    leaves: tuple[ClaimLeaf, ...]
    fee_total: int
    log_size: int
    log_root: bytes


NO_ROOT = Root(ClaimTree([]), (), 0, 0, bytes(32))


@dataclass(slots=True)
class Model:
    """The vault with its token and registry; amounts in token units."""

    delay_s: int
    payout_delay_s: int
    treasury: int
    allowance: int
    vault: int = 0
    epoch: int = 0
    roots: list[Root] = field(default_factory=lambda: [NO_ROOT])
    """Those that stand, oldest first; the last one may still wait."""
    due: int = 0
    has_settler: bool = True
    claimed: dict[bytes, int] = field(default_factory=dict)
    paid: dict[bytes, int] = field(default_factory=dict)
    """What each address has been sent by the vault."""
    twins: dict[bytes, Bound] = field(default_factory=dict)
    blocked: set[bytes] = field(default_factory=set)
    way: Way = Way.OK
    pull: Pull = Pull.OK

    @property
    def claimed_total(self) -> int:
        """Return what was paid in all."""
        return sum(self.claimed.values())

    def claimable(self, now: int) -> Root:
        """Return the commitment that claims are checked against."""
        return self.roots[-2] if now < self.due else self.roots[-1]

    def commit(self, epoch: int, root: Root, now: int) -> bool:
        """Commit, or say that it is refused."""
        before = self.roots[-1]
        if not self.has_settler or now < self.due or epoch != self.epoch + 1:
            return False
        if root.fee_total < before.fee_total or root.log_size < before.log_size:
            return False
        forked = root.log_root != before.log_root and root.log_size == before.log_size
        if forked and before is not NO_ROOT:
            return False
        if not self._fund(root.fee_total - self.claimed_total):
            return False
        self.epoch = epoch
        self.roots.append(root)
        self.due = now + self.delay_s if self.delay_s else 0
        return True

    def veto(self, now: int) -> bool:
        """Veto as the guardian, or say that nothing waits."""
        if now >= self.due:
            return False
        self.roots.pop()
        self.due = 0
        self.has_settler = False
        return True

    def claim(self, leaves: Sequence[ClaimLeaf], now: int) -> bool:
        """Claim leaves that the claimable root covers; False when the whole call reverts."""
        saved = deepcopy((self.vault, self.claimed, self.paid))
        start, counted = self.vault, 0
        for leaf in leaves:
            payee = self.twins.get(leaf.twin, Bound()).in_force(now) or leaf.payout
            before = self.claimed.get(leaf.twin, 0)
            amount = leaf.cumulative_units - before
            if amount <= 0 or payee == NO_PAYOUT:
                continue
            if amount > self.claimable(now).fee_total - self.claimed_total:
                continue
            if self._send(payee, amount):
                self.claimed[leaf.twin] = leaf.cumulative_units
                counted += amount
        if self.vault + counted < start:
            self.vault, self.claimed, self.paid = saved
            return False
        return True

    def _fund(self, owed: int) -> bool:
        missing = owed - self.vault
        if missing <= 0:
            return True
        if self.pull in {Pull.KEEPS_A_FEE, Pull.SAYS_FALSE, Pull.REVERTS}:
            return False
        if missing > min(self.treasury, self.allowance):
            return False
        self.treasury -= missing
        self.allowance -= missing
        self.vault += missing
        return True

    def _send(self, payee: bytes, amount: int) -> bool:
        """Carry out the token's transfer; return whether the vault may count it."""
        taken = amount + 1 if self.way is Way.GREEDY else amount
        if self.way in _MOVES_NOTHING or payee in self.blocked or taken > self.vault:
            return False
        self.vault -= taken
        kept = amount // 10 if self.way is Way.KEEPS_A_FEE else 0
        if self.way is Way.PAYS_BACK:
            self.vault += 1
            kept = 1
        self.paid[payee] = self.paid.get(payee, 0) + amount - kept
        return self.way is not Way.LIES
