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
        address that the registry names for the twin, or where it names none that of the leaf, and
        nobody else, and it pays `cumulative - claimed[twin]`, so that a stale, repeated or
        front-run claim pays 0 and reverts nothing.
@dev    The treasury keeps the money and grants this contract a capped allowance; a stolen settler
        key can post a wrong root worth that allowance and whatever is committed and unclaimed at
        most, and within `DELAY` seconds the guardian can veto it. Roles, invariants and what each
        key can do at worst: docs/contracts.md.
"""

from ethereum.ercs import IERC20

interface Registry:
    def payout_of(twin: bytes32) -> address: view
    def payouts_of(twins: DynArray[bytes32, CHUNK]) -> DynArray[address, CHUNK]: view

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
LONGEST_DELAY: constant(uint256) = 30 * 86_400
MASK_56: constant(uint256) = 2**56 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_128: constant(uint256) = 2**128 - 1

TOKEN: public(immutable(address))
TREASURY: public(immutable(address))
OWNER: public(immutable(address))
GUARDIAN: public(immutable(address))
DELAY: public(immutable(uint256))
# Asked whom to pay; zero where only the leaf says. Nobody can put another one in its place, and so
# nobody can come between a creator and their address later.
REGISTRY: public(immutable(address))

settler: public(address)
claimed: public(HashMap[bytes32, uint256])

# One word, packed by hand because Vyper does not: claimed total (128 bits) | newest epoch (64) |
# when its root becomes claimable, 0 for now (56) | which of the two accounts is its (8).
cursor: uint256

struct Account:
    head: uint256  # epoch (64 bits) | log size (64) | fee total (128)
    log_root: bytes32
    data_hash: bytes32
    fee_root: bytes32

# The newest commitment that stands, and the one before it: a commit overwrites the older one, and
# a veto goes back to it.
accounts: Account[2]


@deploy
def __init__(
    token: address, treasury: address, owner: address, settler: address, guardian: address,
    delay: uint256, registry: address,
):
    # A call to an address without code succeeds, and would count as paid.
    assert token.is_contract, "token"
    assert treasury != empty(address), "treasury"
    assert delay <= LONGEST_DELAY, "delay"
    if registry != empty(address):
        # A registry that does not answer would stop every claim: better no vault than that one.
        asked: DynArray[bytes32, CHUNK] = [empty(bytes32)]
        assert len(staticcall Registry(registry).payouts_of(asked)) == 1, "registry"
    TOKEN = token
    TREASURY = treasury
    OWNER = owner
    GUARDIAN = guardian
    DELAY = delay
    REGISTRY = registry
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
    cursor: uint256 = self.cursor
    due: uint256 = (cursor >> 8) & MASK_56
    assert block.timestamp >= due, "pending"
    assert convert(epoch, uint256) == ((cursor >> 64) & MASK_64) + 1, "epoch"
    newest: uint256 = cursor & 1
    older: uint256 = 1 - newest
    head: uint256 = self.accounts[newest].head
    total: uint256 = convert(fee_total, uint256)
    size: uint256 = convert(log_size, uint256)
    size_before: uint256 = (head >> 128) & MASK_64
    assert total >= head & MASK_128, "fee total"
    assert size >= size_before, "log size"
    if size == size_before and head >> 192 > 0:
        assert log_root == self.accounts[newest].log_root, "log root"
    if DELAY != 0:
        due = block.timestamp + DELAY
    number: uint256 = convert(epoch, uint256)
    self.accounts[older] = Account(
        head=(number << 192) | (size << 128) | total, log_root=log_root, data_hash=data_hash,
        fee_root=fee_root,
    )
    claimed_total: uint256 = cursor >> 128
    self.cursor = (claimed_total << 128) | (number << 64) | (due << 8) | older
    self._fund(total - claimed_total)
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
    cursor: uint256 = self.cursor
    node: bytes32 = keccak256(keccak256(abi_encode(leaf)))
    assert self._climb(node, proof) == self._claimable(cursor), "proof"
    payee: address = payout
    if REGISTRY != empty(address):
        named: address = staticcall Registry(REGISTRY).payout_of(twin)
        if named != empty(address):
            payee = named
    held: uint256 = staticcall IERC20(TOKEN).balanceOf(self)
    paid: uint256 = self._pay(twin, payee, cumulative, self._unclaimed(cursor))
    self._book(cursor, paid, held)
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
    twins: DynArray[bytes32, CHUNK] = []
    count: uint256 = 0
    for leaf: Claim in leaves:
        nodes[count] = keccak256(keccak256(abi_encode(leaf)))
        twins.append(leaf.twin)
        count += 1
    for level: uint256 in range(CHUNK_LEVELS):
        if count == 1:
            break
        half: uint256 = (count + 1) // 2
        for i: uint256 in range(half, bound=32):
            left: uint256 = unsafe_mul(i, 2)
            if unsafe_add(left, 1) < count:
                nodes[i] = self._hash_pair(nodes[left], nodes[unsafe_add(left, 1)])
            else:
                nodes[i] = nodes[left]
        count = half
    cursor: uint256 = self.cursor
    assert self._climb(nodes[0], proof) == self._claimable(cursor), "proof"
    named: DynArray[address, CHUNK] = []
    if REGISTRY != empty(address):
        # Fails closed: a relayer who gives too little gas for it stops their own claim, and never
        # sends money to the leaf's address where the registry names another.
        named = staticcall Registry(REGISTRY).payouts_of(twins)
        assert len(named) == len(twins), "registry"
    held: uint256 = staticcall IERC20(TOKEN).balanceOf(self)
    unclaimed: uint256 = self._unclaimed(cursor)
    paid: uint256 = 0
    count = 0
    for leaf: Claim in leaves:
        payee: address = leaf.payout
        if REGISTRY != empty(address) and named[count] != empty(address):
            payee = named[count]
        paid += self._pay(leaf.twin, payee, leaf.cumulative, unclaimed - paid)
        count += 1
    self._book(cursor, paid, held)
    return paid


@external
@nonreentrant
def veto():
    """
    @notice Withdraw the root that waits for its delay, and remove the settler who posted it.
    @dev The epoch number stays used; totals and log fall back to the epoch before. What was
         pulled from the treasury stays here and counts towards the next epoch.
    """
    assert msg.sender == GUARDIAN, "guardian"
    cursor: uint256 = self.cursor
    assert (cursor >> 8) & MASK_56 > block.timestamp, "nothing waits"
    # The claimed total and the epoch's number stay, no time, the other account.
    self.cursor = ((cursor >> 64) << 64) | (1 - (cursor & 1))
    self.settler = empty(address)
    log EpochVetoed(epoch=convert((cursor >> 64) & MASK_64, uint64))
    log SettlerChanged(settler=empty(address))


@external
@nonreentrant
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
    cursor: uint256 = self.cursor
    account: Account = self.accounts[cursor & 1]
    return State(
        epoch=convert((cursor >> 64) & MASK_64, uint64),
        fee_total=convert(account.head & MASK_128, uint128),
        log_size=convert((account.head >> 128) & MASK_64, uint64),
        fee_root=account.fee_root, log_root=account.log_root, data_hash=account.data_hash,
        claimed_total=cursor >> 128, claimable_at=(cursor >> 8) & MASK_56,
    )


@external
@view
def claimed_total() -> uint256:
    """
    @notice Token units paid in all.
    """
    return self.cursor >> 128


@external
@view
def claimable_root() -> bytes32:
    """
    @notice The fee root against which claims are checked now.
    """
    return self._claimable(self.cursor)


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
def _pay(twin: bytes32, payee: address, cumulative: uint256, unclaimed: uint256) -> uint256:
    before: uint256 = self.claimed[twin]
    if cumulative <= before or payee == empty(address):
        return 0
    amount: uint256 = cumulative - before
    delivered: bool = False
    if amount <= unclaimed:
        # Written before the call, so that a token that calls back finds nothing left to claim.
        self.claimed[twin] = cumulative
        delivered = self._transfer(payee, amount)
        if not delivered:
            self.claimed[twin] = before
    if not delivered:
        log ClaimFailed(twin=twin, payout=payee, amount=amount)
        return 0
    log Claimed(twin=twin, payout=payee, amount=amount, cumulative=cumulative)
    return amount


@internal
def _transfer(payee: address, amount: uint256) -> bool:
    # A block-listed address must not stop the other claims of a chunk.
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        TOKEN,
        abi_encode(payee, amount, method_id=method_id("transfer(address,uint256)")),
        max_outsize=32,
        revert_on_failure=False,
    )
    if not success or len(answer) == 0:
        return success
    return len(answer) == 32 and convert(answer, uint256) == 1


@internal
def _book(cursor: uint256, paid: uint256, held: uint256):
    # A token that moves money and denies it, or moves more than it was told, would be paid out of
    # the other creators' share: then nothing of this claim happens at all.
    assert staticcall IERC20(TOKEN).balanceOf(self) + paid >= held, "token"
    self.cursor = cursor + (paid << 128)


@internal
@view
def _unclaimed(cursor: uint256) -> uint256:
    # Against the root that is claimed from: what waits for its delay is nobody's yet.
    return (self.accounts[self._standing(cursor)].head & MASK_128) - (cursor >> 128)


@internal
@view
def _claimable(cursor: uint256) -> bytes32:
    return self.accounts[self._standing(cursor)].fee_root


@internal
@pure
def _hash_pair(a: bytes32, b: bytes32) -> bytes32:
    if convert(a, uint256) < convert(b, uint256):
        return keccak256(abi_encode(a, b))
    return keccak256(abi_encode(b, a))


@internal
@pure
def _climb(start: bytes32, proof: DynArray[bytes32, MAX_PROOF]) -> bytes32:
    node: bytes32 = start
    for sibling: bytes32 in proof:
        node = self._hash_pair(node, sibling)
    return node


@internal
@view
def _standing(cursor: uint256) -> uint256:
    # Which account claims are paid from: not the newest while that waits.
    if block.timestamp < (cursor >> 8) & MASK_56:
        return 1 - (cursor & 1)
    return cursor & 1
