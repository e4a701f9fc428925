"""Fixed answers: what a rule says to a message, before anything is generated (formats.md 5.2).

```
none applies       the reply is generated
one applies        one transaction: intent, receipt, sequence number, log leaf, turn, outbox
```
Nothing is shown before that transaction. Killed before it, nothing has happened: the message is
answered when it comes again. Killed after it, the reply stands in the outbox like any other.
"""

from dataclasses import replace

from bot.domain.fields import Choice, Finish
from bot.domain.payment import NOBODY
from bot.domain.rules import Rule
from bot.ports.inference import Generated
from bot.ports.stores import Intent, Store, StoredReply
from bot.receipts.issue import Issuer
from bot.twins.admission import AdmissionPolicy
from bot.twins.keeping import Terms, keep_reply, log_kept, next_place
from bot.twins.roster import LiveTwin
from bot.twins.running import Halt
from bot.twins.turns import TakenBackError

BEYOND_QUOTA = 20  # messages of one fan in a day


def fixed_intent(draft: Intent, rule: Rule) -> Intent:
    """Return the intent of a rule's fixed answer: no context, no price, nobody pays."""
    return replace(
        draft,
        spans=(),
        context=(),
        prefix_tokens=0,
        price_nano=0,
        payment=NOBODY,
        rule=rule.id,
    )


class FixedAnswers:
    """The `safety` step of the story in `answer`; its caller holds the conversation's turn."""

    def __init__(self, *, store: Store, issuer: Issuer, policy: AdmissionPolicy) -> None:
        self._store = store
        self._issuer = issuer
        self._policy = policy

    async def give(self, halt: Halt, rule: Rule, twin: LiveTwin) -> StoredReply:
        """Store a rule's answer to a message; it is delivered as every reply is.

        The budget for replies is not asked, and the engine is not needed. The day's quota does
        not end it either: who is in distress gets this answer, though not without any bound.

        Raises:
            UserError: the message was taken back, or the fan is far over quota.
        """
        answer = Generated((), rule.text, Finish.FIXED.value)
        async with self._store.transaction() as tx:
            if halt.dropped:
                raise TakenBackError
            sent = halt.intent.message, halt.intent.created_at
            await self._policy.check_daily(tx, *sent, beyond=BEYOND_QUOTA)
            place = await next_place(tx, halt.intent)
            intent = replace(halt.intent, choice=Choice(place.turn), log_size=await tx.log_size())
            await tx.add_intent(intent)
            terms = Terms(twin.manifest, twin.persona)
            # No engine had a part in it, so none can have failed its self-check.
            issuer = replace(self._issuer, verdict="exact")
            reply = await keep_reply(tx, issuer, intent, answer, terms)
        log_kept(intent, reply)
        return reply
