"""A service under any order of messages, deliveries, heads, engine deaths and crashes.

Whatever happens, the audit passes, any two signed heads are consistent (RFC 6962), and no message
is answered in two ways.
"""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from itertools import combinations
from typing import TypeVar

import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from bot.crypto import merkle
from bot.domain.errors import TransientError, UserError
from bot.domain.leaf import Outcome
from bot.domain.ledger import creator_account
from tests.fakes.store import MemoryStore, ProcessKilled, WriteFault
from tests.stage import MIRA, THEO, memory_stage

FANS = st.sampled_from(["ana", "bo"])
NUMBERS = st.integers(1, 4)
T = TypeVar("T")
TEXTS = st.sampled_from(["hello there", "  ", "é 🐙", "x" * 400])


class ServiceMachine(RuleBasedStateMachine):
    """Drives one stage; `_answers` is what each message was answered with."""

    replies: Bundle[str] = Bundle("replies")

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()  # its loop is opened by the first step
        self._stage = memory_stage()
        self._answers: dict[str, str] = {}
        self._silent = structlog.get_config()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

    def teardown(self) -> None:
        self._runner.close()
        structlog.configure(**self._silent)

    def _run(self, work: Coroutine[object, object, T]) -> T | None:
        """Run a step; a killed process comes back, recovered."""
        try:
            return self._runner.run(work)
        except (UserError, TransientError):
            return None
        except ProcessKilled:
            self._restart()
            return None

    def _restart(self) -> None:
        self._stage = self._stage.restarted()
        self._runner.run(self._stage.open((MIRA, THEO)))
        self._runner.run(self._stage.recovery.run())

    @property
    def _store(self) -> MemoryStore:
        assert isinstance(self._stage.store, MemoryStore)
        return self._stage.store

    @initialize()
    def publish(self) -> None:
        self._run(self._stage.open((MIRA, THEO)))

    @rule(target=replies, fan=FANS, number=NUMBERS, text=TEXTS)
    def message(self, fan: str, number: int, text: str) -> str:
        key = f"{fan}-{number}"
        reply = self._run(self._stage.say(text, number=key, fan=fan))
        if reply is not None:
            assert self._answers.setdefault(key, reply.receipt_id) == reply.receipt_id
        return "" if reply is None else reply.receipt_id

    @rule(receipt=consumes(replies), outcome=st.sampled_from(Outcome))
    def deliver(self, receipt: str, outcome: Outcome) -> None:
        if receipt:
            self._run(self._stage.delivery.record(receipt, outcome))

    @rule()
    def sign_head(self) -> None:
        self._run(self._stage.signer.publish(self._store))

    @rule(crashes=st.lists(st.none() | st.integers(0, 6), min_size=1, max_size=3))
    def break_the_engine(self, crashes: list[int | None]) -> None:
        self._stage.engine.crashes = crashes

    @rule(ahead=st.integers(1, 3), fault=st.sampled_from(WriteFault))
    def break_a_write(self, ahead: int, fault: WriteFault) -> None:
        self._store.faults[self._store.writes + ahead] = fault

    @rule()
    def crash_and_reopen(self) -> None:
        self._restart()

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self._stage.clock.advance(timedelta(hours=hours))

    @invariant()
    def audit_passes(self) -> None:
        findings = self._runner.run(self._stage.audit())
        assert findings.wrong == []

    @invariant()
    def heads_are_consistent(self) -> None:
        tables = self._store.tables
        for old, new in combinations(tables.checkpoints[-4:], 2):
            merkle.verify_consistency(
                old=old.size,
                new=new.size,
                old_root=old.root,
                new_root=new.root,
                proof=merkle.consistency_from_nodes(old.size, new.size, tables.nodes),
            )

    @invariant()
    def creators_have_what_was_delivered(self) -> None:
        delivered: dict[bytes, int] = {}
        for reply in self._store.tables.replies.values():
            if reply.outcome == "delivered":
                delivered[reply.twin] = delivered.get(reply.twin, 0) + reply.creator_nano
        for twin, nano in delivered.items():
            assert self._store.tables.balances[creator_account(twin)] == nano


TestService = ServiceMachine.TestCase
TestService.settings = settings(
    stateful_step_count=20, suppress_health_check=list(HealthCheck), print_blob=True
)
