# pragma version 0.4.3
# pragma optimize gas
# pragma evm-version cancun
"""
@title Twinproof settlement
@notice Anchors, once an epoch, what every twin has earned so far and the receipts log, and pays
        cumulative claims. A creator's claim is a leaf of the epoch's fee tree:

          leaf = keccak256(keccak256(abi.encode(bytes32 twin, address payout,
                                                uint256 cumulative, bytes32 audit)))

        Nodes are keccak256 of the two children in ascending order; the odd node of a level is
        carried up unchanged. Amounts are token units. Anyone may submit a claim: it pays the
        payout address of the leaf and nobody else, and it pays `cumulative - claimed[twin]`,
        so that a stale, repeated or front-run claim pays 0 and reverts nothing.
@dev    The treasury keeps the money and grants this contract a capped allowance; a stolen settler
        key can post a wrong root worth that allowance and whatever is committed and unclaimed at
        most, and within `DELAY` seconds the guardian can veto it.
"""

from ethereum.ercs import IERC20

struct Claim:
    twin: bytes32
    payout: address
    cumulative: uint256
    audit: bytes32

struct State:
    epoch: uint64
    fee_total: uint128
    log_size: uint64
    fee_root: bytes32
    log_root: bytes32
    data_hash: bytes32
    claimed_total: uint256
    claimable_at: uint256

event EpochCommitted:
    epoch: indexed(uint64)
    fee_root: bytes32
    fee_total: uint128
    log_root: bytes32
    log_size: uint64
    data_hash: bytes32

event EpochVetoed:
    epoch: indexed(uint64)

event Claimed:
    twin: indexed(bytes32)
    payout: indexed(address)
    amount: uint256
    cumulative: uint256

event ClaimFailed:
    twin: indexed(bytes32)
    payout: indexed(address)
    amount: uint256

event SettlerChanged:
    settler: indexed(address)

CHUNK: constant(uint256) = 64
CHUNK_LEVELS: constant(uint256) = 6
MAX_PROOF: constant(uint256) = 32

TOKEN: public(immutable(address))
TREASURY: public(immutable(address))
OWNER: public(immutable(address))
GUARDIAN: public(immutable(address))
DELAY: public(immutable(uint256))

settler: public(address)
claimed: public(HashMap[bytes32, uint256])
claimed_total: public(uint256)

# One word, packed by hand because Vyper does not: epoch (64 bits) | log size (64) | fee total (128).
head: uint256
log_root: bytes32
data_hash: bytes32
fee_root: bytes32

# Used only where DELAY > 0. `pending_at` is 0 when no root waits for its delay to pass.
pending_root: bytes32
pending_at: uint256
head_before: uint256
log_root_before: bytes32
data_hash_before: bytes32


@deploy
def __init__(
    token: address, treasury: address, owner: address, settler: address, guardian: address,
    delay: uint256,
):
    TOKEN = token
    TREASURY = treasury
    OWNER = owner
    GUARDIAN = guardian
    DELAY = delay
    self.settler = settler
    log SettlerChanged(settler=settler)


@external
@nonreentrant
def commit(
    epoch: uint64, fee_root: bytes32, fee_total: uint128, log_root: bytes32, log_size: uint64,
    data_hash: bytes32,
):
    """
    @notice Anchor the next epoch and fund what it owes from the treasury.
    @dev A new root never replaces one that still waits for its delay: with an interval shorter
         than the delay no root would ever become claimable.
    """
    assert msg.sender == self.settler, "settler"
    head: uint256 = self.head
    assert epoch == self._epoch(head) + 1, "epoch"
    assert fee_total >= self._fee_total(head), "fee total"
    assert log_size >= self._log_size(head), "log size"
    if log_size == self._log_size(head) and epoch > 1:
        assert log_root == self.log_root, "log root"
    if DELAY == 0:
        self.fee_root = fee_root
    else:
        self._delay(fee_root)
        self.head_before = head
        self.log_root_before = self.log_root
        self.data_hash_before = self.data_hash
    self.head = self._pack(epoch, log_size, fee_total)
    self.log_root = log_root
    self.data_hash = data_hash
    self._fund(convert(fee_total, uint256) - self.claimed_total)
    log EpochCommitted(
        epoch=epoch, fee_root=fee_root, fee_total=fee_total, log_root=log_root,
        log_size=log_size, data_hash=data_hash,
    )


@external
@nonreentrant
def claim(
    twin: bytes32, payout: address, cumulative: uint256, audit: bytes32,
    proof: DynArray[bytes32, MAX_PROOF],
) -> uint256:
    """
    @notice Pay one twin what the claimable root says and was not paid before.
    @return Token units paid; 0 for a stale or repeated claim or a failed transfer.
    """
    leaf: Claim = Claim(twin=twin, payout=payout, cumulative=cumulative, audit=audit)
    assert self._climb(self._hash_leaf(leaf), proof) == self._claimable(), "proof"
    paid: uint256 = self._pay(leaf, self._unclaimed())
    self.claimed_total += paid
    return paid


@external
@nonreentrant
def claim_chunk(
    leaves: DynArray[Claim, CHUNK], proof: DynArray[bytes32, MAX_PROOF]
) -> uint256:
    """
    @notice Pay an aligned run of up to 64 leaves of the tree with one proof for their subtree.
    @return Token units paid in all.
    """
    assert len(leaves) > 0, "empty"
    nodes: bytes32[CHUNK] = empty(bytes32[CHUNK])
    count: uint256 = 0
    for leaf: Claim in leaves:
        nodes[count] = self._hash_leaf(leaf)
        count += 1
    for level: uint256 in range(CHUNK_LEVELS):
        if count == 1:
            break
        half: uint256 = (count + 1) // 2
        for i: uint256 in range(half, bound=32):
            if 2 * i + 1 < count:
                nodes[i] = self._hash_pair(nodes[2 * i], nodes[2 * i + 1])
            else:
                nodes[i] = nodes[2 * i]
        count = half
    assert self._climb(nodes[0], proof) == self._claimable(), "proof"
    unclaimed: uint256 = self._unclaimed()
    paid: uint256 = 0
    for leaf: Claim in leaves:
        paid += self._pay(leaf, unclaimed - paid)
    self.claimed_total += paid
    return paid


@external
def veto():
    """
    @notice Withdraw the root that waits for its delay, and remove the settler who posted it.
    @dev The epoch number stays used; totals and log fall back to the epoch before. What was
         pulled from the treasury stays here and counts towards the next epoch.
    """
    assert msg.sender == GUARDIAN, "guardian"
    assert self.pending_at > block.timestamp, "nothing waits"
    epoch: uint64 = self._epoch(self.head)
    before: uint256 = self.head_before
    self.head = self._pack(epoch, self._log_size(before), self._fee_total(before))
    self.log_root = self.log_root_before
    self.data_hash = self.data_hash_before
    self.pending_root = empty(bytes32)
    self.pending_at = 0
    self.settler = empty(address)
    log EpochVetoed(epoch=epoch)
    log SettlerChanged(settler=empty(address))


@external
def set_settler(settler: address):
    """
    @notice Name the only account that may commit.
    """
    assert msg.sender == OWNER, "owner"
    self.settler = settler
    log SettlerChanged(settler=settler)


@external
@view
def state() -> State:
    """
    @notice The newest commitment. `fee_root` is claimable from the time `claimable_at` on (0: now).
    """
    head: uint256 = self.head
    fee_root: bytes32 = self.fee_root
    if self.pending_at != 0:
        fee_root = self.pending_root
    return State(
        epoch=self._epoch(head), fee_total=self._fee_total(head), log_size=self._log_size(head),
        fee_root=fee_root, log_root=self.log_root, data_hash=self.data_hash,
        claimed_total=self.claimed_total, claimable_at=self.pending_at,
    )


@external
@view
def claimable_root() -> bytes32:
    """
    @notice The fee root against which claims are checked now.
    """
    return self._claimable()


@external
@view
def claimed_of(twins: DynArray[bytes32, CHUNK]) -> DynArray[uint256, CHUNK]:
    """
    @notice What up to 64 twins have been paid so far, in token units.
    """
    amounts: DynArray[uint256, CHUNK] = []
    for twin: bytes32 in twins:
        amounts.append(self.claimed[twin])
    return amounts


@internal
def _delay(fee_root: bytes32):
    if self.pending_at != 0:
        assert block.timestamp >= self.pending_at, "pending"
        self.fee_root = self.pending_root
    self.pending_root = fee_root
    self.pending_at = block.timestamp + DELAY


@internal
def _fund(owed: uint256):
    held: uint256 = staticcall IERC20(TOKEN).balanceOf(self)
    if owed > held:
        moved: bool = extcall IERC20(TOKEN).transferFrom(
            TREASURY, self, owed - held, default_return_value=True
        )
        assert moved, "treasury"
        # A token that keeps a fee of its own delivers less than was asked for.
        assert staticcall IERC20(TOKEN).balanceOf(self) >= owed, "underfunded"


@internal
def _pay(leaf: Claim, unclaimed: uint256) -> uint256:
    before: uint256 = self.claimed[leaf.twin]
    if leaf.cumulative <= before or leaf.payout == empty(address):
        return 0
    amount: uint256 = leaf.cumulative - before
    delivered: bool = False
    if amount <= unclaimed:
        # Written before the call, so that a token that calls back finds nothing left to claim.
        self.claimed[leaf.twin] = leaf.cumulative
        delivered = self._transfer(leaf.payout, amount)
        if not delivered:
            self.claimed[leaf.twin] = before
    if not delivered:
        log ClaimFailed(twin=leaf.twin, payout=leaf.payout, amount=amount)
        return 0
    log Claimed(twin=leaf.twin, payout=leaf.payout, amount=amount, cumulative=leaf.cumulative)
    return amount


@internal
def _transfer(payout: address, amount: uint256) -> bool:
    # A block-listed address must not stop the other claims of a chunk.
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        TOKEN,
        abi_encode(payout, amount, method_id=method_id("transfer(address,uint256)")),
        max_outsize=32,
        revert_on_failure=False,
    )
    return success and (len(answer) == 0 or convert(answer, uint256) == 1)


@internal
@view
def _unclaimed() -> uint256:
    return convert(self._fee_total(self.head), uint256) - self.claimed_total


@internal
@view
def _claimable() -> bytes32:
    if DELAY != 0 and self.pending_at != 0 and block.timestamp >= self.pending_at:
        return self.pending_root
    return self.fee_root


@internal
@pure
def _hash_leaf(leaf: Claim) -> bytes32:
    return keccak256(keccak256(abi_encode(leaf)))


@internal
@pure
def _hash_pair(a: bytes32, b: bytes32) -> bytes32:
    if convert(a, uint256) < convert(b, uint256):
        return keccak256(concat(a, b))
    return keccak256(concat(b, a))


@internal
@pure
def _climb(start: bytes32, proof: DynArray[bytes32, MAX_PROOF]) -> bytes32:
    node: bytes32 = start
    for sibling: bytes32 in proof:
        node = self._hash_pair(node, sibling)
    return node


@internal
@pure
def _pack(epoch: uint64, log_size: uint64, fee_total: uint128) -> uint256:
    return (
        (convert(epoch, uint256) << 192)
        | (convert(log_size, uint256) << 128)
        | convert(fee_total, uint256)
    )


@internal
@pure
def _epoch(head: uint256) -> uint64:
    return convert(head >> 192, uint64)


@internal
@pure
def _log_size(head: uint256) -> uint64:
    return convert((head >> 128) & (2**64 - 1), uint64)


@internal
@pure
def _fee_total(head: uint256) -> uint128:
    return convert(head & (2**128 - 1), uint128)
