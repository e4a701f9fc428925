"""`twinproof settle` where there is nothing yet, and the words of its tables."""

import json
from pathlib import Path

import pytest

from bot.cli import printing, settle
from bot.cli.commands import run
from bot.cli.settle_words import describe_standing, print_standing, waits_for
from bot.domain.errors import ChainUnavailableError
from bot.domain.fees import Fees
from bot.domain.settlement import Commitment, Epoch, EpochState
from bot.domain.transactions import (
    Inclusion,
    Purpose,
    SignedTransaction,
    StoredTransaction,
    TransactionState,
)
from bot.settlement.publish import EpochPublisher, PublisherState, PublisherStatus
from bot.wiring.settling import Line, Row, Standing

SIGNED = SignedTransaction(Purpose.COMMIT, 1, 0, 0, b"h" * 32, b"raw", fees=Fees(3 * 10**9, 1))
BLOCK = Inclusion(7, b"b" * 32, True, 90_000, 2, b"h" * 32)  # noqa: FBT003


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def test_alone_it_says_what_there_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["settle"]) == 0

    said = capsys.readouterr().out
    for name in ("--dry-run", "status", "now", "adopt"):
        assert name in said
    assert not folder.exists()


class Stuck(EpochPublisher):
    """Publishes nothing: it waits at each tick, for a reason that only a node understands."""

    def __init__(self) -> None:
        self.ticks = 0

    async def tick(self, *, begin: bool = True) -> PublisherStatus:
        self.ticks += 1
        assert begin is (self.ticks == 1)
        return PublisherStatus(PublisherState.WAITING, "('execution reverted', '0x')")


@pytest.mark.parametrize(
    ("causes", "ticks", "words"),
    [
        (["Fill it.", "Fill it."], 2, "^Fill it. Then run this command again.$"),
        (["Fill it.", "Allow it.", "Allow it."], 3, "^Allow it. Then"),
        (["Fill it.", "", "", "Allow it.", "Allow it."], 5, "^Allow it. Then"),
    ],
)
async def test_a_shortage_that_stays_is_said_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, causes: list[str], ticks: int, words: str
) -> None:
    monkeypatch.setattr(settle, "_STUCK_S", 0.0)
    monkeypatch.setattr(settle, "_POLL_S", 0.0)
    publisher, left = Stuck(), iter(causes)

    async def find_cause() -> str:
        return next(left)

    with printing.step_bar() as bar, pytest.raises(ChainUnavailableError, match=words):
        await settle._follow(publisher, bar, 60, find_cause)

    assert publisher.ticks == ticks


@pytest.mark.parametrize("command", ["status", "now", "adopt"])
def test_without_a_book_it_is_one_sentence_and_nothing_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run(["settle", command, "--data", str(folder)]) == 2

    assert "There is no book in" in capsys.readouterr().err
    assert not folder.exists()


def test_a_dry_run_without_a_book_names_what_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["settle", "--dry-run", "--json", "--data", str(folder)]) == 1

    told = json.loads(capsys.readouterr().out)
    assert (told["chain"], told["epoch"], told["cost"]) == (None, None, None)
    assert len(told["obstacles"]) == 2
    assert not folder.exists()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://me:hunter2@node", "settlement.rpc_url is wrong"),
        ("http://me:hunter2@127.0.0.1:9/", "rpc_url needs chain_id, contract, token beside it"),
    ],
)
def test_a_password_in_an_address_is_never_printed(
    folder: Path, capsys: pytest.CaptureFixture[str], url: str, sentence: str
) -> None:
    config = folder.parent / "config.toml"
    config.write_text(f'[settlement]\nrpc_url = "{url}"\n')

    assert run(["settle", "--dry-run"]) == 2

    told = capsys.readouterr()
    assert sentence in told.err
    assert "hunter2" not in told.out + told.err


@pytest.mark.parametrize(
    ("state", "found", "words"),
    [
        (TransactionState.SIGNED, None, "being sent"),
        (TransactionState.SENT, None, "a block, at up to 3.000 gwei"),
        (TransactionState.MINED, BLOCK, "finality: block 7, 2 deep"),
        (TransactionState.FINAL, BLOCK, "block 7, 2 deep"),
        (TransactionState.DEAD, None, "nothing: it can't take effect any more"),
    ],
)
def test_each_transaction_says_what_it_waits_for(
    state: TransactionState, found: Inclusion | None, words: str
) -> None:
    assert waits_for(Line(StoredTransaction(SIGNED, state), found)) == words


def test_a_veto_is_named_in_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = Commitment(1, bytes(32), 0, bytes(32), 0, bytes(32))
    row = Row(Epoch(nothing, (), 0, EpochState.VETOED), ())
    found = Standing((row,), on_chain=2, why_not="", lease=None, unnoted=2)

    print_standing(found)

    told = " ".join(capsys.readouterr().out.split())
    assert "1 vetoed" in told
    for epoch in (1, 2):
        assert f"The guardian has vetoed epoch {epoch}: nothing of it was paid" in told
    assert describe_standing(found)["vetoed"] == [1, 2]
