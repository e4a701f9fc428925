"""A token that does what a test tells it to, and what no token should."""

from enum import IntEnum

from tests.revm import Code, compiled


class Way(IntEnum):
    """How the token carries out a transfer out of the vault."""

    OK = 0
    SAYS_NOTHING = 1
    """Moves it and returns nothing, as some old tokens do."""
    SAYS_FALSE = 2
    """Moves nothing and returns false."""
    REVERTS = 3
    LIES = 4
    """Moves it and returns false."""
    GREEDY = 5
    """Moves one unit more than it was told."""
    GARBAGE = 6
    """Moves nothing and returns seven bytes."""
    CALLS_BACK = 7
    """Calls the vault with what was put into `call`, and then moves it."""
    KEEPS_A_FEE = 8
    """Moves it, and gives the receiver nine tenths."""
    SAYS_TWO = 9
    """Moves nothing and returns 2."""
    PAYS_BACK = 10
    """Moves it, and the receiver gives one unit back before the call ends."""


class Pull(IntEnum):
    """How it carries out a transfer from the treasury."""

    OK = 0
    KEEPS_A_FEE = 1
    SAYS_FALSE = 2
    REVERTS = 3
    SAYS_NOTHING = 4


_SOURCE = """
# pragma version 0.4.3
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
blocked: public(HashMap[address, bool])
way: public(uint256)
pull: public(uint256)
data: Bytes[16384]
tries: public(uint256)
entered: public(uint256)

@deploy
def __init__(treasury: address, supply: uint256):
    self.balanceOf[treasury] = supply

@external
def approve(spender: address, amount: uint256):
    self.allowance[msg.sender][spender] = amount

@external
def behave(way: uint256, pull: uint256):
    self.way = way
    self.pull = pull

@external
def block(account: address, is_blocked: bool):
    self.blocked[account] = is_blocked

@external
def put(data: Bytes[16384]):
    self.data = data

@external
def call(target: address, data: Bytes[16384]):
    raw_call(target, data)

@external
def donate(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount

@external
@raw_return
def transfer(receiver: address, amount: uint256) -> Bytes[64]:
    way: uint256 = self.way
    assert way != 3 and not self.blocked[receiver], "no"
    if way == 2:
        return abi_encode(False)
    if way == 6:
        return b"garbage"
    if way == 9:
        return abi_encode(convert(2, uint256))
    if way == 7:
        success: bool = raw_call(msg.sender, self.data, revert_on_failure=False)
        self.tries += 1
        if success:
            self.entered += 1
    self.balanceOf[msg.sender] -= amount
    if way == 8:
        self.balanceOf[receiver] += amount - amount // 10
        return abi_encode(True)
    self.balanceOf[receiver] += amount
    if way == 5:
        self.balanceOf[msg.sender] -= 1
        self.balanceOf[self] += 1
    if way == 10:
        self.balanceOf[receiver] -= 1
        self.balanceOf[msg.sender] += 1
    if way == 1:
        return b""
    return abi_encode(way != 4)

@external
@raw_return
def transferFrom(owner: address, receiver: address, amount: uint256) -> Bytes[64]:
    assert self.pull != 3, "no"
    if self.pull == 2:
        return abi_encode(False)
    self.allowance[owner][msg.sender] -= amount
    self.balanceOf[owner] -= amount
    if self.pull == 1:
        self.balanceOf[receiver] += amount - 1
        return abi_encode(True)
    self.balanceOf[receiver] += amount
    if self.pull == 4:
        return b""
    return abi_encode(True)
"""


def hostile_token() -> Code:
    """Return its code."""
    return compiled(_SOURCE)
