"""The check-up where the chain and the book are not at the same epoch."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.crypto.dsse import encode_envelope, sign_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.signed_note import VerifierKey
from bot.domain.leaf import SealLeaf
from bot.domain.settlement import Commitment, Epoch, EpochState
from bot.domain.statements import SEAL_TYPE, SealStatement
from bot.domain.transactions import Purpose, SignedTransaction
from bot.ports.checks import State
from bot.receipts.log import CheckpointSigner, append_leaf
from bot.wiring.epoch_checks import look_at_epochs
from bot.wiring.stores import open_stores

OLD_KEY, NEW_KEY = b"1" * 32, b"2" * 32
OLD, NEW = (
    VerifierKey(f"{name}.example/log", public_key_of(key))
    for name, key in (("old", OLD_KEY), ("new", NEW_KEY))
)
ROOT = b"r" * 32


def _commitment(log_size: int, epoch: int = 3) -> Commitment:
    return Commitment(epoch, bytes(32), 0, ROOT, log_size, bytes(32))


async def _continue(folder: Path) -> None:
    """Seal a log of nine leaves of which none is left, and sign a head of the next one."""
    seal = sign_envelope(SEAL_TYPE, SealStatement(OLD, 9, ROOT, 0, NEW).encode(), OLD_KEY)
    async with open_stores(folder) as stores:
        async with stores.replies.transaction() as tx:
            index = await append_leaf(tx, SealLeaf(seal.digest).encode())
            await tx.add_seal(index, encode_envelope(seal))
        await CheckpointSigner(NEW.name, NEW_KEY).publish(stores.replies)


@pytest.mark.parametrize(
    ("log_size", "state", "words"),
    [
        (9, State.WARNING, "names 9 leaves of the log that was sealed, and the log that"),
        (10, State.FAULT, "the chain is at epoch 3, and the book at 0."),
        (0, State.OK, "epoch 3 of the lost book is taken over with the next commit."),
    ],
)
async def test_a_chain_that_is_ahead_is_explained_by_the_seal(
    tmp_path: Path, log_size: int, state: State, words: str
) -> None:
    await _continue(tmp_path)

    (found,) = await look_at_epochs(_commitment(log_size), tmp_path)

    assert found.state is state
    assert words in found.sentence


async def test_a_chain_that_is_ahead_without_a_seal_is_a_fault(tmp_path: Path) -> None:
    async with open_stores(tmp_path):
        pass

    (found,) = await look_at_epochs(_commitment(9), tmp_path)

    assert found.state is State.FAULT
    assert "another process settles with this key" in found.remedy


async def test_where_book_and_chain_agree_there_is_no_line(tmp_path: Path) -> None:
    nowhere = await look_at_epochs(_commitment(9), tmp_path)
    async with open_stores(tmp_path):
        pass

    assert nowhere == await look_at_epochs(_commitment(0, epoch=0), tmp_path) == []


@pytest.mark.parametrize("is_noted", [False, True])
async def test_a_veto_is_a_warning_and_no_sign_of_an_old_copy(
    tmp_path: Path,
    is_noted: bool,  # noqa: FBT001
) -> None:
    nothing = Commitment(1, bytes(32), 0, bytes(32), 0, bytes(32))
    async with open_stores(tmp_path) as stores:
        if is_noted:
            await stores.epochs.veto(Epoch(nothing, (), 0, EpochState.VETOED))

    (found,) = await look_at_epochs(nothing, tmp_path, was_vetoed=True)
    (false,) = await look_at_epochs(
        replace(nothing, epoch=2, fee_total=9), tmp_path, was_vetoed=True
    )

    assert found.state is State.WARNING
    assert found.sentence.startswith("the guardian has vetoed epoch 1: nothing of it was paid")
    assert "set_settler" in found.remedy
    assert false.state is State.FAULT


@pytest.mark.parametrize("is_signed", [True, False])
async def test_a_veto_above_our_open_epoch_is_a_warning_where_its_commit_was_signed(
    tmp_path: Path,
    is_signed: bool,  # noqa: FBT001
) -> None:
    ours = Commitment(1, b"f" * 32, 5, ROOT, 9, b"d" * 32)
    async with open_stores(tmp_path) as stores:
        await stores.epochs.plan(Epoch(ours, (), 0))
        if is_signed:
            signed = SignedTransaction(Purpose.COMMIT, 1, 0, 0, b"h" * 32, b"raw")
            assert await stores.epochs.record(signed)

    (found,) = await look_at_epochs(replace(ours, epoch=2), tmp_path, was_vetoed=True)
    (false,) = await look_at_epochs(replace(ours, epoch=2), tmp_path)

    assert found.state is (State.WARNING if is_signed else State.FAULT)
    assert found.sentence.startswith("the guardian has vetoed epoch 2") is is_signed
    assert false.state is State.FAULT
