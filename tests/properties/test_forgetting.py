"""Forgetting in any order with everything else: nobody comes back, and nobody else loses a word.

Every message carries a mark that names its person and their life: a life ends with a forgetting.
"""

import asyncio
import re
import tempfile
from collections import defaultdict
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from bot.domain.errors import BotError, UserError
from bot.ports.fans import Erasure
from tests.fakes.fans import MemoryFanRecords
from tests.fakes.store import MemoryStore
from tests.fans_rig import FansRig, memory_rig
from tests.stage import MIRA, SURFACE, THEO, message

FANS = st.sampled_from(["ana", "ben"])
TWINS = st.sampled_from(["mira", "theo"])
MARK = re.compile(r"<(\w+) (\d+)>")
T = TypeVar("T")


class ForgettingMachine(RuleBasedStateMachine):
    """Drives one service; counts each person's lives, and what they were told in this one."""

    backups: Bundle[tuple[MemoryStore, tuple[Erasure, ...]]] = Bundle("backups")

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()
        self._rig = memory_rig(Path(self._folder.name))
        self._lives: dict[str, int] = defaultdict(int)
        self._told: dict[str, dict[str, str]] = defaultdict(dict)
        self._count = 0
        self._silent = structlog.get_config()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

    def teardown(self) -> None:
        try:
            assert self._run(self._rig.stage.audit()).wrong == []
        finally:
            self._close()

    def _close(self) -> None:
        self._runner.close()
        self._folder.cleanup()
        structlog.configure(**self._silent)

    def _run(self, work: Coroutine[object, object, T]) -> T:
        self._rig.stage.clock.advance(timedelta(milliseconds=1))
        return self._runner.run(work)

    @property
    def _records(self) -> MemoryFanRecords:
        assert isinstance(self._rig.records, MemoryFanRecords)
        return self._rig.records

    @initialize()
    def publish(self) -> None:
        self._run(self._rig.stage.open((MIRA, THEO)))

    def _message(self, fan: str) -> tuple[str, str]:
        self._count += 1
        return f"<{fan} {self._lives[fan]}> says {self._count}", f"{fan}-{self._count}"

    @rule(fan=FANS, twin=TWINS)
    def say(self, fan: str, twin: str) -> None:
        text, number = self._message(fan)
        shown = self._run(self._rig.ask(message(text, number=number, fan=fan, twin=twin)))
        self._told[fan][shown.receipt_id] = text

    @rule(fan=FANS, ticks=st.integers(0, 60))
    def forget_while_a_reply_grows(self, fan: str, ticks: int) -> None:
        text, number = self._message(fan)

        async def both() -> None:
            asking = asyncio.create_task(self._rig.ask(message(text, number=number, fan=fan)))
            for _ in range(ticks):
                await asyncio.sleep(0)
            await self._rig.fans.forget("terminal", fan)
            with suppress(UserError):
                await asking
            # What came a moment later is a new life, of which the old words tell nothing.
            await self._rig.fans.forget("terminal", fan)

        self._run(both())
        self._end_life(fan)

    @rule(fan=FANS)
    def forget(self, fan: str) -> None:
        self._run(self._rig.fans.forget("terminal", fan))
        self._end_life(fan)

    @rule(fan=FANS)
    def forget_and_die_before_it_is_done(self, fan: str) -> None:
        self._records.busy = [True]
        with suppress(BotError):
            self._run(self._rig.fans.forget("terminal", fan))
        self._records.busy = []
        self._restart(self._store, tuple(self._records.applied))
        self._end_life(fan)

    def _end_life(self, fan: str) -> None:
        self._lives[fan] += 1
        self._told[fan].clear()

    @rule(fan=FANS, data=st.data())
    def make_again_or_take_back(self, fan: str, data: st.DataObject) -> None:
        if not self._told[fan]:
            return
        receipt = data.draw(st.sampled_from(sorted(self._told[fan])))
        if data.draw(st.booleans()):
            with suppress(UserError):
                again = self._run(self._rig.stage.again(receipt, event=f"again {receipt}", fan=fan))
                self._told[fan][again.receipt_id] = self._told[fan][receipt]
        else:
            number = self._told[fan][receipt].rpartition(" ")[2]
            self._run(self._rig.stage.withdrawal.withdraw(SURFACE, f"{fan}-{number}"))

    @rule(target=backups)
    def back_up(self) -> tuple[MemoryStore, tuple[Erasure, ...]]:
        return self._store.reopened(), tuple(self._records.applied)

    @rule(backup=backups)
    def restore(self, backup: tuple[MemoryStore, tuple[Erasure, ...]]) -> None:
        """Bring a backup back: later words are lost, and what was forgotten since stays so."""
        store, applied = backup
        self._restart(store.reopened(), applied)
        kept = {reply.receipt_id for reply in self._store.tables.replies.values()}
        for told in self._told.values():
            for receipt in set(told) - kept:
                del told[receipt]

    @rule()
    def restart(self) -> None:
        self._restart(self._store, tuple(self._records.applied))

    @property
    def _store(self) -> MemoryStore:
        assert isinstance(self._rig.stage.store, MemoryStore)
        return self._rig.stage.store

    def _restart(self, store: MemoryStore, applied: tuple[Erasure, ...]) -> None:
        rig: FansRig = self._rig.restarted(store)
        assert isinstance(rig.records, MemoryFanRecords)
        rig.records.applied = list(applied)
        self._rig = rig
        self._run(rig.fans.replay())
        self._run(rig.stage.open((MIRA, THEO)))
        self._run(rig.stage.recovery.run())

    @invariant()
    def only_words_of_this_life_are_left(self) -> None:
        tables = self._store.tables
        kept = [intent.message.text for intent in tables.intents.values()]
        kept += [reply.fan_text for reply in tables.replies.values()]
        for fan, life in (found for text in kept for found in MARK.findall(text)):
            assert int(life) == self._lives[fan], (fan, life)

    @invariant()
    def contexts_hold_one_life_of_one_person(self) -> None:
        for request in self._rig.stage.engine.requests:
            text = bytes(token for token in request.context if token < 256).decode(errors="replace")
            assert len(set(MARK.findall(text))) <= 1

    @invariant()
    def nobody_else_loses_a_word(self) -> None:
        kept = {r.receipt_id: r.fan_text for r in self._store.tables.replies.values()}
        for told in self._told.values():
            assert told.items() <= kept.items()


TestForgetting = ForgettingMachine.TestCase
TestForgetting.settings = settings(
    max_examples=15, stateful_step_count=15, suppress_health_check=[HealthCheck.too_slow]
)
