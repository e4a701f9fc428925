"""One answer for one message, whatever order Discord's events come in."""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from adapters.discord_chat.claims import Claims
from bot.ports.chat import Surface

IDS = st.sampled_from(["1", "2", "3", "4"])
HERE = Surface("discord", "9", "70", "")


class ClaimsMachine(RuleBasedStateMachine):
    """Claims against what they promise."""

    def __init__(self) -> None:
        super().__init__()
        self.claims = Claims()
        self.running: set[str] = set()
        self.seen: set[str] = set()
        self.withdrawn: set[str] = set()
        self.merged: dict[str, str] = {}

    @rule(asked=IDS)
    def claim(self, asked: str) -> None:
        free = asked not in self.seen | self.withdrawn | self.running
        if asked not in self.seen | self.withdrawn:
            self.seen.add(asked)
        assert self.claims.claim(asked, HERE) is free
        if free:
            self.running.add(asked)

    @rule(asked=IDS)
    def hold(self, asked: str) -> None:
        assert self.claims.hold(asked, HERE) is (asked not in self.running)
        self.running.add(asked)

    @rule(asked=IDS)
    def release(self, asked: str) -> None:
        self.claims.release(asked)
        self.running.discard(asked)

    @rule(asked=IDS, into=IDS)
    def merge(self, asked: str, into: str) -> None:
        self.claims.merge(asked, into)
        self.merged[asked] = into

    @rule(asked=IDS)
    def withdraw(self, asked: str) -> None:
        turn = [asked, self.merged[asked]] if asked in self.merged else [asked]
        assert self.claims.withdraw(asked) == turn
        self.withdrawn |= set(turn)

    @invariant()
    def knows_what_runs_and_what_was_taken_back(self) -> None:
        for asked in ("1", "2", "3", "4"):
            assert self.claims.is_running(asked) is (asked in self.running)
            assert self.claims.is_withdrawn(asked) is (asked in self.withdrawn)
        assert {asked for asked, _ in self.claims.running_in("70", None)} == self.running
        assert self.claims.running_in("71", None) == []


TestClaims = ClaimsMachine.TestCase
TestClaims.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


async def test_draining_waits_for_what_runs_and_takes_nothing_more() -> None:
    claims = Claims()
    claims.claim("1", HERE)
    draining = asyncio.create_task(claims.drain(within_s=5))
    await asyncio.sleep(0)

    assert not claims.claim("2", HERE)
    assert not draining.done()
    claims.release("1")
    await draining


async def test_draining_does_not_wait_for_ever() -> None:
    claims = Claims()
    claims.claim("1", HERE)

    await claims.drain(within_s=0.01)

    assert claims.is_running("1")
