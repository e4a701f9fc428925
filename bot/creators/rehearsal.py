"""A draft's answer to its creator: made as a fan's would be, but neither billed, proved nor kept.

Who may rehearse how often is remembered in this process only.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from bot.creators.drafts import persona_file
from bot.crypto.eip712 import encode_address
from bot.domain.errors import ConfigurationError, InvariantError, UserError
from bot.domain.settlement import NO_PAYOUT
from bot.generation.rendering import fit_window, persona_prefix, render
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.clock import Clock, Entropy
from bot.ports.creator_store import DraftContent
from bot.ports.creators import Actor
from bot.ports.inference import Generated, GenerationRequest, InferenceEngine
from bot.twins.admission import AdmissionPolicy
from bot.twins.publish import OperatorTerms, Signers, check_persona, draft_manifest
from bot.twins.roster import LiveTwin, sampler_policy

SEED_BYTES = 32
DAY = timedelta(days=1)
NOBODY = encode_address(NO_PAYOUT)


class Rehearsal:
    """Tries drafts; `_busy` and `_asked` belong to the event loop."""

    def __init__(
        self,
        *,
        engine: InferenceEngine,
        terms: OperatorTerms,
        policy: AdmissionPolicy,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._engine = engine
        self._terms = terms
        self._policy = policy
        self._clock = clock
        self._entropy = entropy
        self._busy: set[tuple[str, str]] = set()
        self._asked: dict[tuple[str, str], deque[datetime]] = {}

    async def check(self, slug: str, content: DraftContent) -> LiveTwin:
        """Return a draft as it would be live, under nobody's signature; nothing is kept.

        Raises:
            UserError: the model can't hold this persona.
        """
        file = persona_file(slug, content)
        try:
            tokens = await check_persona(self._engine, file)
            manifest = await draft_manifest(
                self._engine,
                self._terms,
                file,
                signers=Signers(NOBODY, NOBODY),
                current=None,
                moment=self._clock.now(),
            )
        except ConfigurationError as error:
            raise UserError(str(error)) from error
        return LiveTwin(manifest, bytes(32), content.persona, tokens)

    async def warm(self, twin: LiveTwin) -> None:
        """Have the model read a persona, before anybody signs it.

        Raises:
            TransientError: the engine is busy.
        """
        await self._engine.prepare_prefix(twin.prefix)

    async def answer(self, actor: Actor, slug: str, content: DraftContent, text: str) -> str:
        """Answer a creator from a draft.

        Raises:
            UserError: the text is not sane, the draft not valid, or the last test still runs.
            TransientError: the engine is busy.
        """
        with self._one_of(actor):
            twin = await self.check(slug, content)
            place = Surface(platform=actor.platform, bot="", chat="", thread="")
            message = IncomingMessage(
                twin=slug, surface=place, fan=actor.account, message_id="test", text=text
            )
            text = self._policy.check_message(message, twin, twin.manifest.valid_from)
            self._count(actor)
            return await self._generate(twin, text)

    async def _generate(self, twin: LiveTwin, text: str) -> str:
        manifest = twin.manifest
        tokens = await self._engine.tokenize(manifest.rendering.span_prefix + text)
        spans = fit_window(
            manifest.rendering, persona=twin.persona_tokens, turns=(), message=tokens
        )
        request = GenerationRequest(
            context=render(manifest.rendering, spans),
            prefix_tokens=len(persona_prefix(manifest.rendering, twin.persona_tokens)),
            seed=self._entropy.random_bytes(SEED_BYTES),
            sampler=sampler_policy(manifest),
            stop_tokens=manifest.filter.stop_tokens,
            stop_strings=manifest.filter.stop_strings,
        )
        async for event in self._engine.generate(request):
            if isinstance(event, Generated):
                return event.text
        raise InvariantError("the engine ended a generation without a result")

    @contextmanager
    def _one_of(self, actor: Actor) -> Iterator[None]:
        who = (actor.platform, actor.account)
        if who in self._busy:
            raise UserError("Your last test is still running: please wait for its answer.")
        self._busy.add(who)
        try:
            yield
        finally:
            self._busy.discard(who)

    def _count(self, actor: Actor) -> None:
        """Let an account test as often in a day as a fan may write."""
        now, limit = self._clock.now(), self._policy.daily_messages
        asked = self._asked.setdefault((actor.platform, actor.account), deque())
        while asked and asked[0] <= now - DAY:
            asked.popleft()
        if len(asked) >= limit:
            raise UserError(
                f"You have made {limit} tests in the last 24 hours, which is the limit. "
                "Please come back tomorrow."
            )
        asked.append(now)
