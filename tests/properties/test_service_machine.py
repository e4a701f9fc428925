"""A service under any order of messages, halts, deliveries, heads, engine deaths and crashes.

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
from bot.domain.errors import BotError, TransientError, UserError
from bot.domain.ledger import creator_account, hold_account
from bot.domain.statements import Outcome
from bot.ports.stores import StoredReply
from tests.fakes.store import MemoryStore, ProcessKilled, WriteFault
from tests.stage import MIRA, SURFACE, THEO, memory_stage, message

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
        return self._keep(f"{fan}-{number}", self._run(self._say(text, f"{fan}-{number}", fan)))

    @rule(
        target=replies,
        fan=FANS,
        number=NUMBERS,
        ticks=st.integers(0, 80),
        how=st.sampled_from(["stop", "cut", "drop", "withdraw"]),
    )
    def interrupted(self, fan: str, number: int, ticks: int, how: str) -> str:
        key = f"{fan}-{number}"
        return self._keep(key, self._run(self._interrupt(key, fan, ticks, how)))

    async def _interrupt(self, key: str, fan: str, ticks: int, how: str) -> StoredReply | None:
        stage = self._stage
        task = asyncio.create_task(self._say("hello there", key, fan))
        for _ in range(ticks):
            await asyncio.sleep(0)
        try:
            if how == "withdraw":
                await stage.withdrawal.withdraw(SURFACE, key)
            for intent in stage.running.all():
                if how == "cut":
                    stage.running.cut(intent.twin, by="pause")
                elif how == "drop":
                    stage.running.drop(intent.key)
                elif how == "stop":
                    stage.running.stop(intent.key, by="press")
        finally:
            (answer,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @rule(
        target=replies,
        fan=FANS,
        numbers=st.lists(NUMBERS, min_size=2, max_size=4),
        ticks=st.integers(0, 60),
    )
    def burst(self, fan: str, numbers: list[int], ticks: int) -> str:
        """Several at once, one of which is taken back meanwhile."""
        keys = [f"{fan}-{number}" for number in numbers]
        reply = self._run(self._burst(keys, fan, ticks))
        return "" if reply is None else reply.receipt_id

    async def _burst(self, keys: list[str], fan: str, ticks: int) -> StoredReply | None:
        tasks = [asyncio.create_task(self._say("hi", key, fan, may_merge=True)) for key in keys]
        for _ in range(ticks):
            await asyncio.sleep(0)
        try:
            if ticks % 2:
                await self._stage.withdrawal.withdraw(SURFACE, keys[-1])
        finally:
            answers = await asyncio.gather(*tasks, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, ProcessKilled):
                raise answer
            if isinstance(answer, BaseException) and not isinstance(answer, BotError):
                raise answer
        return next((one for one in answers if isinstance(one, StoredReply)), None)

    @rule(target=replies, receipt=replies, event=st.sampled_from(["press 1", "press 2"]))
    def again(self, receipt: str, event: str) -> str:
        reply = self._run(self._regenerate(receipt, event))
        if reply is None:
            return ""
        wish = f"{reply.conversation.hex()} {reply.turn} {event}"
        assert self._answers.setdefault(wish, reply.receipt_id) == reply.receipt_id
        return reply.receipt_id

    async def _regenerate(self, receipt: str, event: str) -> StoredReply:
        async with self._store.reading() as tx:
            reply = await tx.find_reply(receipt)
            intent = await tx.find_intent(reply.intent) if reply else None
        fan = intent.message.fan if intent else "ana"
        return await self._stage.again(receipt, event=event, fan=fan)

    @rule(fan=FANS, number=NUMBERS)
    def take_back(self, fan: str, number: int) -> None:
        self._run(self._stage.withdrawal.withdraw(SURFACE, f"{fan}-{number}"))

    async def _say(
        self, text: str, key: str, fan: str, *, may_merge: bool = False
    ) -> StoredReply | None:
        said = message(text, number=key, fan=fan, may_merge=may_merge)
        answer = await self._stage.make_answer().answer(said, lambda _text: None)
        return answer if isinstance(answer, StoredReply) else None

    def _keep(self, key: str, reply: StoredReply | None) -> str:
        """Note what a message was answered with: the same each time, or a later attempt."""
        if reply is None:
            return ""
        known = self._answers.setdefault(f"{key} {reply.attempt}", reply.receipt_id)
        assert known == reply.receipt_id
        return reply.receipt_id

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
    def no_message_is_in_two_turns(self) -> None:
        seen: dict[str, bytes] = {}
        for intent in self._store.tables.intents.values():
            for part in intent.parts:
                assert seen.setdefault(part.id, intent.slot_tag) == intent.slot_tag

    @invariant()
    def replies_to_what_was_taken_back_are_free_or_were_delivered(self) -> None:
        for reply in self._store.tables.replies.values():
            if reply.outcome == "withdrawn":
                assert self._store.tables.balances[hold_account(reply.intent)] == 0
            if reply.reversal is not None:
                assert (reply.outcome, reply.reversal) == ("delivered", "withdrawn")
            if reply.finish == "cut":
                assert reply.outcome in {None, "refunded", "withdrawn"}

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
