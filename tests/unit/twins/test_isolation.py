"""No context ever holds a word of another conversation, whatever happens and whoever names ids.

Every message carries a decoy that names its conversation; the engine records every context that it
is given.
"""

import asyncio
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.llama.process import EngineProcess
from bot.domain.errors import UserError
from bot.domain.fields import SpanKind
from bot.domain.ids import derive_slot
from bot.domain.model_record import TemplateIds
from bot.ports.chat import IncomingMessage, ReplyShown, Surface
from bot.ports.inference import GenerationRequest, ModelInfo
from bot.receipts.issue import slot_of
from bot.twins.intents import conversation_id
from bot.wiring.engine import STARTER
from bot.wiring.inspection import inspect_file
from tests.fans_rig import FansRig, memory_rig, sqlite_rig
from tests.stage import MIRA, THEO

_DIGITS = str.maketrans("abcdef", "123456")
DECOY = re.compile(rb"zq(\d{4})r(\d)qz")
COMMAND = (sys.executable, "-m", "bot", "engine", "--model", str(STARTER), "--threads", "1")

# Each line would be one place, if ids were joined without saying where one ends.
COLLIDING = (
    (("discord", "9", "1", "23", "ana"), ("discord", "9", "12", "3", "ana")),
    (("discord", "91", "1", "", "ana"), ("discord", "9", "11", "", "ana")),
    (
        ("telegram", "7", "51", "", "42"),
        ("telegram", "7", "5", "1", "42"),
        ("telegram", "75", "1", "", "42"),
    ),
    (("web", "local", "c", "d", "ana"), ("web", "local", "c", "", "dana")),
    (
        ("web", "local", "a|b", "", "f"),
        ("web", "local", "a", "b", "|f"),
        ("web", "local", "a|b|", "", "f"),
    ),
    (("web", "local", "a\x00", "b", "f"), ("web", "local", "a", "\x00b", "f")),
    (("telegram", "7", "-100", "", "42"), ("telegram", "7", "-100", "", "43")),
    (("discord", "7", "51", "", "42"), ("telegram", "7", "51", "", "42")),
)


@dataclass(frozen=True, slots=True)
class Voice:
    """One conversation: its number is in its decoys."""

    number: int
    twin: str
    surface: Surface
    fan: str

    def number_of(self, turn: int) -> str:
        """Return a message's number that no other fan's message has, as platforms give them."""
        return f"{turn}{self.fan.encode().hex().translate(_DIGITS)}"

    def message(self, turn: int) -> IncomingMessage:
        """Return a message of this conversation; ids of messages repeat in every place."""
        return IncomingMessage(
            self.twin, self.surface, self.fan, f"{turn}", f"I keep zq{self.number:04d}r{turn}qz"
        )


def _voices() -> list[Voice]:
    places = [place for line in COLLIDING for place in line]
    places += [("telegram", "7", "-100", "", str(fan)) for fan in range(50, 54)]
    voices: list[Voice] = []
    for platform, bot, chat, thread, fan in dict.fromkeys(places):
        for twin in ("mira", "theo"):
            surface = Surface(platform, bot, chat, thread)
            voices.append(Voice(len(voices), twin, surface, fan))
    return voices


async def _say(rig: FansRig, voices: Sequence[Voice], turn: int) -> dict[int, ReplyShown]:
    """Let everybody talk at once; two fans in one place have ids of their own, as on platforms."""

    async def one(voice: Voice) -> ReplyShown:
        said = voice.message(turn)
        return await rig.ask(replace(said, message_id=voice.number_of(turn)))

    shown = await asyncio.gather(*(one(voice) for voice in voices))
    return {voice.number: reply for voice, reply in zip(voices, shown, strict=True)}


def _decoys(request: GenerationRequest) -> list[tuple[int, int]]:
    text = bytes(token for token in request.context if token < 256)
    return [(int(number), int(turn)) for number, turn in DECOY.findall(text)]


def _check(requests: Sequence[GenerationRequest]) -> dict[int, list[list[int]]]:
    """Check every context; return the turns whose decoys it held, by conversation."""
    seen: dict[int, list[list[int]]] = defaultdict(list)
    for request in requests:
        decoys = _decoys(request)
        assert len({number for number, _ in decoys}) == 1, decoys
        seen[decoys[-1][0]].append([turn for _, turn in decoys])
    return seen


async def _check_spans(rig: FansRig) -> None:
    """Check that what a context quotes is what the cited receipt of its own conversation holds."""
    records = await rig.stage.reader.read_all()
    replies = {reply.receipt_hash: reply for reply in records.replies}
    for intent in records.intents:
        for span in intent.spans:
            if span.receipt is None:
                continue
            cited = replies[span.receipt]
            quoted = cited.fan_tokens if span.kind is SpanKind.FAN else cited.output_tokens
            assert (cited.conversation, quoted) == (intent.conversation, span.tokens)


async def test_no_context_holds_another_conversations_decoy(tmp_path: Path) -> None:
    voices = _voices()
    taken_back, again, forgotten = voices[3], voices[8], voices[-1]
    async with sqlite_rig(tmp_path) as rig:
        rig.stage.engine.max_queued = len(voices)  # everybody at once
        await rig.stage.open((MIRA, THEO))
        await _say(rig, voices, 1)
        second = await _say(rig, voices, 2)
        first_life = _check(rig.stage.engine.requests)
        assert first_life == {voice.number: [[1], [1, 2]] for voice in voices}

    async with sqlite_rig(tmp_path) as rig:
        rig.stage.engine.max_queued = len(voices)
        await rig.stage.open((MIRA, THEO))
        inbox = replace(rig.stage, privacy=rig.fans).make_inbox()
        await inbox.withdraw(taken_back.surface, taken_back.number_of(2))
        made = [
            event
            async for event in inbox.regenerate(
                second[again.number].receipt_id, again.surface.platform, again.fan, "wish"
            )
        ]
        assert isinstance(made[-1], ReplyShown)
        assert await inbox.forget(forgotten.surface.platform, forgotten.fan) == 4
        await _say(rig, voices, 3)
        seen = _check(rig.stage.engine.requests)
        await _check_spans(rig)
        assert (await rig.stage.audit()).wrong == []

    same_message = [
        v for v in voices if v.surface == taken_back.surface and v.fan == taken_back.fan
    ]
    same_person = [v for v in voices if v.surface == forgotten.surface and v.fan == forgotten.fan]
    expected = {voice.number: [[1, 2, 3]] for voice in voices}
    expected |= {voice.number: [[3]] for voice in (*same_message, *same_person)}
    expected[again.number] = [[1, 2], [1, 2, 3]]
    assert seen == expected


async def test_halted_voided_and_merged_messages_stay_in_their_conversation(tmp_path: Path) -> None:
    voices = _voices()[:12]
    rig = memory_rig(tmp_path)
    await rig.stage.open((MIRA, THEO))
    inbox = replace(rig.stage, privacy=rig.fans).make_inbox()
    rig.stage.engine.crashes = [None, 2, None, 0, 0, 3, None, 1]

    async def talk(voice: Voice, turn: int) -> None:
        said = replace(voice.message(turn), may_merge=True, message_id=voice.number_of(turn))
        with suppress(UserError):
            async for event in inbox.answer(said):
                if not isinstance(event, ReplyShown) and (voice.number + turn) % 3 == 0:
                    await inbox.stop(voice.surface, said.message_id, voice.fan, "stop")

    await asyncio.gather(
        *(talk(voice, turn) for turn in (1, 2, 3) for voice in voices), return_exceptions=True
    )
    await _say(rig, voices, 4)

    seen = _check(rig.stage.engine.requests)
    assert sorted(seen) == [voice.number for voice in voices]
    assert any(len(turns) > 1 for contexts in seen.values() for turns in contexts)
    await _check_spans(rig)
    assert (await rig.stage.audit()).wrong == []


_ID = st.text(alphabet="a1|\x00", max_size=3)
_IDS = st.tuples(_ID, _ID, _ID, _ID, _ID, _ID)


@given(_IDS, _IDS)
def test_ids_that_differ_anywhere_name_other_conversations_and_other_slots(
    left: tuple[str, ...], right: tuple[str, ...]
) -> None:
    def names(ids: tuple[str, ...]) -> tuple[bytes, bytes]:
        platform, bot, chat, thread, fan, number = ids
        said = IncomingMessage("mira", Surface(platform, bot, chat, thread), fan, number, "x")
        slot = derive_slot(bytes(32), slot_of(said))
        return conversation_id(bytes(32), said.surface, fan), slot

    (left_conversation, left_slot), (right_conversation, right_slot) = names(left), names(right)

    assert (left_conversation == right_conversation) == (left[:5] == right[:5])
    same_slot = (*left[:4], left[5]) == (*right[:4], right[5])
    assert (left_slot == right_slot) == same_slot


class _Starter(EngineProcess):
    """The real engine with the starter's template, as a service compiles it."""

    template: TemplateIds | None = None

    async def info(self) -> ModelInfo:
        if self.template is None:
            self.template, _ = await inspect_file(STARTER)
        return replace(await super().info(), template=self.template)


async def _life(folder: Path, fans: Sequence[str]) -> dict[str, list[tuple[int, ...]]]:
    """Let fans take turns on a fresh engine process with the real model."""
    made: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    engine = _Starter(command=COMMAND, max_queued=4)
    try:
        rig = memory_rig(folder, engine=engine)
        await rig.stage.open((replace(MIRA, max_tokens=24),))
        for turn in range(3):
            for fan in fans:
                text = f"My secret number is {len(fan) * 1234}. What do you cook on day {turn}?"
                reply = await rig.stage.say(text, number=f"{fan}{turn}", fan=fan)
                made[fan].append(reply.output_tokens)
    finally:
        await engine.close()
    return made


@pytest.mark.slow
async def test_real_model_answers_a_fan_bit_for_bit_as_if_nobody_else_were_there(
    tmp_path: Path,
) -> None:
    together = await _life(tmp_path, ["ana", "benedict", "cleopatra"])
    alone = await _life(tmp_path, ["ana"])

    assert together["ana"] == alone["ana"]
    assert len(set(together["ana"])) == 3
    assert together["ana"] != together["benedict"]
