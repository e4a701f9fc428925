# pragma version 0.4.3
# pragma optimize gas
# pragma evm-version cancun
"""
@title Twinproof demo dollar
@notice A plain ERC-20 for the embedded chain. It is worth nothing and lives on no public chain.
"""

from ethereum.ercs import IERC20

implements: IERC20

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    amount: uint256

name: public(constant(String[21])) = "Twinproof demo dollar"
symbol: public(constant(String[4])) = "tUSD"
decimals: public(constant(uint8)) = 6

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(treasury: address, supply: uint256):
    self.totalSupply = supply
    self.balanceOf[treasury] = supply
    log Transfer(sender=empty(address), receiver=treasury, amount=supply)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Move the caller's own tokens; reverts when there are too few.
    """
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(owner: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Move tokens that their owner allowed the caller to move.
    """
    self.allowance[owner][msg.sender] -= amount
    self._move(owner, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Set how many of the caller's tokens the spender may move.
    """
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, amount=amount)
    return True


@internal
def _move(owner: address, receiver: address, amount: uint256):
    assert receiver != empty(address), "receiver"
    self.balanceOf[owner] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=owner, receiver=receiver, amount=amount)
