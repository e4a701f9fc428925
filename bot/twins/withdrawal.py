"""A fan takes a message back: what it led to ends, whatever stage it is in."""

from bot.domain.statements import Outcome
from bot.ports.chat import Surface
from bot.ports.inference import ConversationStates
from bot.ports.stores import Store
from bot.twins.endings import Endings
from bot.twins.halting import TAKEN_BACK
from bot.twins.running import RunningReplies
from bot.twins.turns import ConversationTurns


class WithdrawMessage:
    """The use case."""

    def __init__(
        self,
        *,
        store: Store,
        endings: Endings,
        turns: ConversationTurns,
        running: RunningReplies,
        states: ConversationStates,
    ) -> None:
        self._store = store
        self._endings = endings
        self._turns = turns
        self._running = running
        self._states = states

    async def withdraw(self, surface: Surface, message_id: str) -> list[str]:
        """Take a message back; idempotent. All of it is in one transaction.

        A message that waits is passed over. A reply that is being made is dropped: its intent is
        void here, and whoever makes it finds that nothing may be kept. Replies that are there are
        withdrawn, every attempt, and with them leave the twin's memory.

        Returns:
            Receipt ids of the message's replies.
        """
        self._turns.withdraw(surface, message_id)
        self._drop(surface, message_id)
        receipts = []
        conversations = set()
        async with self._store.transaction() as tx:
            for intent in await tx.intents_of_message(surface, message_id):
                self._running.drop(intent.key)
                conversations.add(intent.conversation)
                if intent.state == "open":
                    await self._endings.void(tx, intent.key, TAKEN_BACK.reason)
                reply = await tx.reply_of(intent.key)
                if reply is not None:
                    await self._endings.decide(tx, reply, Outcome.WITHDRAWN)
                    receipts.append(reply.receipt_id)
        for conversation in conversations:  # the engine's states hold the message, too
            await self._states.forget(conversation.hex())
        return receipts

    def _drop(self, surface: Surface, message_id: str) -> None:
        """End the replies that are being made, also those whose intent is just being stored."""
        for intent in self._running.answering(surface, message_id):
            self._running.drop(intent.key)
