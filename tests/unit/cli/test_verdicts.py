"""The check-up's judgement of this machine: facts in, one finding out."""

from pathlib import Path

import pytest

from bot.domain.ledger import EQUITY, SPONSOR
from bot.domain.money import NANO
from bot.ports.checks import DataFolderFacts, Finding, ModelHeader, OpenFile, State
from bot.wiring import verdicts

FOLDER = Path("data")
HEADER = ModelHeader(architecture="llama", weights=7, has_template=True, needed_bytes=2**30)
HOME, PUBLIC = "http://127.0.0.1:8800", "https://twins.example.org"


def _folder(*, writable: bool = True, held: bool = False, free: int = 2**40) -> DataFolderFacts:
    return DataFolderFacts(exists=True, is_writable=writable, is_held=held, free_bytes=free)


def _model(
    header: ModelHeader = HEADER, free: int | None = 2**33, *, pinned: bool = True
) -> Finding:
    return verdicts.judge_model("M", header, free, is_pinned=pinned)


CASES = [
    (verdicts.judge_data_folder(FOLDER, _folder()), State.OK, "can be used"),
    (verdicts.judge_data_folder(FOLDER, _folder(held=True)), State.OK, "running service"),
    (verdicts.judge_data_folder(FOLDER, _folder(writable=False)), State.FAULT, "can't be written"),
    (verdicts.judge_disk(_folder()), State.OK, "GiB free"),
    (verdicts.judge_disk(_folder(free=2**30)), State.WARNING, "1.0 GiB"),
    (verdicts.judge_disk(_folder(free=2**20)), State.FAULT, "0.0 GiB"),
    (verdicts.judge_keys([], FOLDER), State.OK, "only their owner"),
    (verdicts.judge_keys([OpenFile("a", "644")], FOLDER), State.FAULT, "a (mode 644)."),
    (
        verdicts.judge_keys([OpenFile("a", "644"), OpenFile("b", "755")], FOLDER),
        State.FAULT,
        "and 1 more",
    ),
    (_model(), State.OK, "hash is as expected"),
    (_model(free=None), State.OK, "architecture llama"),
    (_model(free=2**20), State.FAULT, "0.0 GiB are free"),
    (_model(ModelHeader("llama", 7, has_template=False, needed_bytes=1)), State.FAULT, "template"),
    (_model(ModelHeader("llama", 2, has_template=True, needed_bytes=1)), State.WARNING, "Q8_0"),
    (_model(pinned=False), State.WARNING, "any file would be accepted"),
    (
        verdicts.judge_engine(verdicts.EngineFacts("lib 1", "as recorded", True, 1.25)),  # noqa: FBT003
        State.OK,
        "started in 1.2 s",
    ),
    (
        verdicts.judge_engine(verdicts.EngineFacts("lib 1", "native", False, 1.0)),  # noqa: FBT003
        State.WARNING,
        "tolerant",
    ),
    (verdicts.judge_port("h", 1, is_free=True, is_ours=False), State.OK, "is free"),
    (verdicts.judge_port("h", 1, is_free=False, is_ours=True), State.OK, "this service"),
    (verdicts.judge_port("h", 1, is_free=False, is_ours=False), State.FAULT, "another program"),
    (
        verdicts.judge_public_address(HOME, has_platforms=False, webhook=False),
        State.OK,
        f"{HOME}/r/",
    ),
    (
        verdicts.judge_public_address(HOME, has_platforms=True, webhook=False),
        State.WARNING,
        "nobody but this machine",
    ),
    (
        verdicts.judge_public_address("http://localhost:1", has_platforms=True, webhook=False),
        State.WARNING,
        "nobody but this machine",
    ),
    (
        verdicts.judge_public_address("http://a.example", has_platforms=True, webhook=False),
        State.WARNING,
        "on the way can read",
    ),
    (
        verdicts.judge_public_address("http://a.example", has_platforms=True, webhook=True),
        State.FAULT,
        "https addresses only",
    ),
    (verdicts.judge_public_address(PUBLIC, has_platforms=True, webhook=True), State.OK, PUBLIC),
    (verdicts.judge_clock([], "offline."), State.SKIPPED, "offline."),
    (verdicts.judge_clock([0.4, -1.2], ""), State.OK, "agrees"),
    (verdicts.judge_clock([0.4, -20.0], ""), State.WARNING, "20 s behind"),
    (verdicts.judge_clock([90.0, -1.0], ""), State.FAULT, "90 s ahead of"),
    (verdicts.judge_sponsorship(500 * NANO, 1000 * NANO), State.OK, "500 of 1000"),
    (verdicts.judge_sponsorship(99 * NANO, 1000 * NANO), State.WARNING, "99 of 1000"),
    (verdicts.judge_sponsorship(0, 1000 * NANO), State.FAULT, "Twins don't answer"),
    (verdicts.judge_chain(1, 5, 10**9, 1000 * NANO), State.OK, "block 5, 1000.00"),
    (verdicts.judge_chain(1, 5, 10**9 - 1, 1000 * NANO), State.WARNING, "less than"),
]


@pytest.mark.parametrize(("found", "state", "part"), CASES)
def test_facts_give_their_finding(found: Finding, state: State, part: str) -> None:
    assert found.state is state
    assert part in found.sentence


@pytest.mark.parametrize("found", [found for found, _, _ in CASES])
def test_every_warning_and_fault_has_a_remedy_and_nothing_else_has(found: Finding) -> None:
    assert bool(found.remedy) == (found.state in {State.WARNING, State.FAULT})
    assert "\n" not in found.sentence + found.remedy


def test_sponsorship_that_will_be_raised_at_the_start_counts_as_there() -> None:
    balances = {EQUITY: -10 * NANO, SPONSOR: 4 * NANO}

    assert verdicts.left_of_sponsorship(balances, 10 * NANO) == 4 * NANO
    assert verdicts.left_of_sponsorship(balances, 15 * NANO) == 9 * NANO
    assert verdicts.left_of_sponsorship(balances, 5 * NANO) == 4 * NANO
