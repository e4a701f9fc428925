# pragma version 0.4.3
# pragma optimize gas
# pragma evm-version cancun
"""
@title Twinproof registry
@notice Binds a twin to its creator, to the manifest in force and to the address that is paid, on
        the creator's word alone. A twin's id commits to its creator:

          twin = sha256("twinproof/v1/twin" 0x00 u32(20) creator u32(len slug) slug)

        (docs/spec/formats.md section 3), and this contract derives it anew in every call. So
        nobody can bind a twin of another creator, early or late, and the creator is stored nowhere.
        There is no owner, no administrator, no upgrade, and it holds no money.
@dev    Roles and what each key can do at worst: docs/contracts.md.
        The creator calls, or anybody relays what the creator has signed: EIP-712 by the creator's
        key, or EIP-1271 by the creator's contract. A key is tried first: an account under
        EIP-7702 has both. Another payout address takes effect `PAYOUT_DELAY` seconds later, so
        that a creator whose key was stolen can name the old one again, or revoke, before it does.
"""

struct Binding:
    manifest: bytes32
    payout: address
    next_payout: address
    next_from: uint256
    number: uint48
    is_revoked: bool

event Bound:
    twin: indexed(bytes32)
    creator: indexed(address)
    slug: String[64]
    manifest: bytes32
    payout: address
    payout_from: uint256
    number: uint48

event Revoked:
    twin: indexed(bytes32)
    creator: indexed(address)
    payout: address

BATCH: constant(uint256) = 64
SLUG: constant(uint256) = 64
SIGNATURE: constant(uint256) = 2048
LONGEST_DELAY: constant(uint256) = 30 * 86_400

HALF_ORDER: constant(uint256) = (
    57896044618658097711785492504343953926418782139537452191302581570759080747168
)
MAGIC: constant(bytes4) = 0x1626ba7e

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
BINDING_TYPE: constant(bytes32) = keccak256(
    "TwinBinding(bytes32 twin,string slug,bytes32 manifest,address payout,uint48 number,uint256 deadline)"
)
REVOCATION_TYPE: constant(bytes32) = keccak256(
    "TwinRevocation(bytes32 twin,string slug,uint256 deadline)"
)
NAME: constant(bytes32) = keccak256("Twinproof registry")
VERSION: constant(bytes32) = keccak256("1")

PAYOUT_DELAY: public(immutable(uint256))

# One word a twin, packed by hand because Vyper does not, so that a look costs one cold slot:
# revoked (8 bits) | number (48) | payout in force from (40) | newest payout (160).
words: HashMap[bytes32, uint256]
# The payout that stays in force until the newest one takes effect; read only while one waits.
payouts_before: HashMap[bytes32, address]
manifests: HashMap[bytes32, bytes32]


@deploy
def __init__(payout_delay: uint256):
    assert payout_delay <= LONGEST_DELAY, "delay"
    PAYOUT_DELAY = payout_delay


@external
def bind(slug: String[SLUG], manifest: bytes32, payout: address, number: uint48):
    """
    @notice Bind the caller's own twin. `number` must be above that of every binding before.
    """
    self._bind(msg.sender, slug, manifest, payout, number)


@external
def bind_signed(
    creator: address, slug: String[SLUG], manifest: bytes32, payout: address, number: uint48,
    deadline: uint256, signature: Bytes[SIGNATURE],
):
    """
    @notice Relay a binding that the creator has signed; nobody can change a word of it.
    """
    assert block.timestamp <= deadline, "deadline"
    twin: bytes32 = self._twin_id(creator, slug)
    digest: bytes32 = self._binding_digest(twin, slug, manifest, payout, number, deadline)
    assert self._is_signed(creator, digest, signature), "signature"
    self._bind(creator, slug, manifest, payout, number)


@external
def revoke(slug: String[SLUG]):
    """
    @notice Revoke the caller's own twin for ever. The payout address in force stays, a change that
            waits is dropped, and nothing can be bound any more: what was earned stays due there.
    """
    self._revoke(msg.sender, slug)


@external
def revoke_signed(
    creator: address, slug: String[SLUG], deadline: uint256, signature: Bytes[SIGNATURE]
):
    """
    @notice Relay a revocation that the creator has signed.
    """
    assert block.timestamp <= deadline, "deadline"
    digest: bytes32 = self._revocation_digest(self._twin_id(creator, slug), slug, deadline)
    assert self._is_signed(creator, digest, signature), "signature"
    self._revoke(creator, slug)


@external
@view
def payout_of(twin: bytes32) -> address:
    """
    @notice Where this twin's fees are paid now; zero where nothing was ever bound.
    """
    return self._payout(twin)


@external
@view
def payouts_of(twins: DynArray[bytes32, BATCH]) -> DynArray[address, BATCH]:
    """
    @notice The same for up to 64 twins, in their order. It never reverts for a twin.
    """
    payouts: DynArray[address, BATCH] = []
    for twin: bytes32 in twins:
        # As `_payout`, written out: it is most of what a claim costs here.
        word: uint256 = self.words[twin]
        if block.timestamp < (word >> 160) & (2**40 - 1):
            payouts.append(self.payouts_before[twin])
        else:
            payouts.append(convert(word & (2**160 - 1), address))
    return payouts


@external
@view
def active(twin: bytes32) -> bool:
    """
    @notice Whether the twin is bound and not revoked.
    """
    word: uint256 = self.words[twin]
    return self._number(word) != 0 and not self._is_revoked(word)


@external
@view
def binding(twin: bytes32) -> Binding:
    """
    @notice All that is known of a twin; number 0 where nothing was bound. `next_payout` is zero
            unless a change waits.
    """
    word: uint256 = self.words[twin]
    waits: bool = block.timestamp < self._payout_from(word)
    return Binding(
        manifest=self.manifests[twin],
        payout=self._payout(twin),
        next_payout=self._newest(word) if waits else empty(address),
        next_from=self._payout_from(word) if waits else 0,
        number=self._number(word),
        is_revoked=self._is_revoked(word),
    )


@external
@pure
def twin_id(creator: address, slug: String[SLUG]) -> bytes32:
    """
    @notice The id of a creator's twin.
    """
    return self._twin_id(creator, slug)


@external
@view
def binding_digest(
    creator: address, slug: String[SLUG], manifest: bytes32, payout: address, number: uint48,
    deadline: uint256,
) -> bytes32:
    """
    @notice The 32 bytes that the creator signs for `bind_signed`.
    """
    twin: bytes32 = self._twin_id(creator, slug)
    return self._binding_digest(twin, slug, manifest, payout, number, deadline)


@external
@view
def revocation_digest(creator: address, slug: String[SLUG], deadline: uint256) -> bytes32:
    """
    @notice The 32 bytes that the creator signs for `revoke_signed`.
    """
    return self._revocation_digest(self._twin_id(creator, slug), slug, deadline)


@internal
def _bind(
    creator: address, slug: String[SLUG], manifest: bytes32, payout: address, number: uint48
):
    twin: bytes32 = self._twin_id(creator, slug)
    word: uint256 = self.words[twin]
    assert not self._is_revoked(word), "revoked"
    assert number > self._number(word), "number"
    assert manifest != empty(bytes32), "manifest"
    assert payout != empty(address), "payout"
    payout_from: uint256 = self._payout_from(word)
    newest: address = self._newest(word)
    if newest == empty(address):
        payout_from = block.timestamp
    elif payout != newest:
        if block.timestamp >= payout_from:
            self.payouts_before[twin] = newest
            payout_from = block.timestamp + PAYOUT_DELAY
        elif payout == self.payouts_before[twin]:
            # The change that waited is taken back.
            payout_from = block.timestamp
        else:
            payout_from = block.timestamp + PAYOUT_DELAY
    self.words[twin] = (
        (convert(number, uint256) << 200)
        | (payout_from << 160)
        | convert(payout, uint256)
    )
    if self.manifests[twin] != manifest:
        self.manifests[twin] = manifest
    log Bound(
        twin=twin, creator=creator, slug=slug, manifest=manifest, payout=payout,
        payout_from=payout_from, number=number,
    )


@internal
def _revoke(creator: address, slug: String[SLUG]):
    twin: bytes32 = self._twin_id(creator, slug)
    word: uint256 = self.words[twin]
    assert not self._is_revoked(word), "revoked"
    payout: address = self._payout(twin)
    self.words[twin] = (
        (1 << 248)
        | (convert(self._number(word), uint256) << 200)
        | (min(self._payout_from(word), block.timestamp) << 160)
        | convert(payout, uint256)
    )
    log Revoked(twin=twin, creator=creator, payout=payout)


@internal
@view
def _payout(twin: bytes32) -> address:
    word: uint256 = self.words[twin]
    if block.timestamp < self._payout_from(word):
        return self.payouts_before[twin]
    return self._newest(word)


@internal
@view
def _is_signed(creator: address, digest: bytes32, signature: Bytes[SIGNATURE]) -> bool:
    if self._is_signed_by_key(creator, digest, signature):
        return True
    if creator.codesize == 0:
        return False
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        creator,
        abi_encode(digest, signature, method_id=method_id("isValidSignature(bytes32,bytes)")),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    return success and len(answer) == 32 and convert(answer, bytes32) == convert(MAGIC, bytes32)


@internal
@pure
def _is_signed_by_key(creator: address, digest: bytes32, signature: Bytes[SIGNATURE]) -> bool:
    if len(signature) != 65 or creator == empty(address):
        return False
    r: uint256 = convert(slice(signature, 0, 32), uint256)
    s: uint256 = convert(slice(signature, 32, 32), uint256)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    if s > HALF_ORDER or (v != 27 and v != 28):
        return False
    return ecrecover(digest, v, r, s) == creator


@internal
@view
def _binding_digest(
    twin: bytes32, slug: String[SLUG], manifest: bytes32, payout: address, number: uint48,
    deadline: uint256,
) -> bytes32:
    return self._digest(
        keccak256(
            abi_encode(BINDING_TYPE, twin, keccak256(slug), manifest, payout, number, deadline)
        )
    )


@internal
@view
def _revocation_digest(twin: bytes32, slug: String[SLUG], deadline: uint256) -> bytes32:
    return self._digest(keccak256(abi_encode(REVOCATION_TYPE, twin, keccak256(slug), deadline)))


@internal
@view
def _digest(content: bytes32) -> bytes32:
    # Hashed anew each time: a chain that forks off gets another id, and other signatures.
    domain: bytes32 = keccak256(abi_encode(DOMAIN_TYPE, NAME, VERSION, chain.id, self))
    return keccak256(concat(x"1901", domain, content))


@internal
@pure
def _twin_id(creator: address, slug: String[SLUG]) -> bytes32:
    return sha256(
        concat(
            b"twinproof/v1/twin\x00\x00\x00\x00\x14",
            convert(creator, bytes20),
            convert(convert(len(slug), uint32), bytes4),
            convert(slug, Bytes[SLUG]),
        )
    )


@internal
@pure
def _is_revoked(word: uint256) -> bool:
    return word >> 248 != 0


@internal
@pure
def _number(word: uint256) -> uint48:
    return convert((word >> 200) & (2**48 - 1), uint48)


@internal
@pure
def _payout_from(word: uint256) -> uint256:
    return (word >> 160) & (2**40 - 1)


@internal
@pure
def _newest(word: uint256) -> address:
    return convert(word & (2**160 - 1), address)
