"""Disputes: a fan says that a reply is not what its receipt says; the service checks it itself.

```
begin    one transaction: the dispute is there, in state `checking`
check    outside of any transaction: proof, replay, anchor       (`judging`)
decide   one transaction: what was found, what is given back, and that the fan is to be told
```
Killed before `decide`, the dispute is still checked at the next start; the ledger's key is of the
receipt, so that a price is given back once.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from bot.credit.accounts import own_account
from bot.credit.judging import Judgement, JudgeReply
from bot.domain.errors import BotError, TransientError, UserError
from bot.domain.money import format_nano
from bot.domain.payment import Payer
from bot.domain.statements import Outcome
from bot.ledger.credit import plan_dispute
from bot.ledger.fees import hold_key, payer_of, source_of
from bot.ports.clock import Clock, Entropy
from bot.ports.credit import DisputeState, DisputeView
from bot.ports.disputes import StoredDispute
from bot.ports.people import Person
from bot.ports.stores import Intent, Store, StoredReply, StoreTransaction
from bot.twins.holds import owed_by
from bot.twins.own import find_own

DAILY = 10
MAX_REASON = 1_000
DAY = timedelta(days=1)
GIVE_UP = timedelta(days=7)
CHECKING = "The reply is being made once more, to compare. You will be told what comes out."
UNCHECKABLE = "The reply could not be made once more within a week."
FORGOTTEN = (
    "The reply was forgotten before it was checked, by you or by somebody who took part in the "
    "conversation: of what is forgotten nothing can be checked, and nothing is given back."
)

_log = structlog.get_logger()


class Disputes:
    """The use case; `run` is called every few seconds, and once at a time.

    Args:
        store: of replies and disputes.
        judge: says what is true of a reply.
        anchored: whether a final epoch on the chain covers a leaf of the log.
        anchor_hours: how old a paid reply may be before that must be so.
        dispute_days: how old a reply may be when its dispute is begun. So long the service keeps
            its models; what it can't make again within a week of a dispute, it can't prove.
        token: symbol of the settlement token.
        clock: now.
        entropy: for the names of new accounts.
    """

    def __init__(
        self,
        *,
        store: Store,
        judge: JudgeReply,
        anchored: Callable[[int], Awaitable[bool]],
        anchor_hours: int,
        dispute_days: int,
        token: str,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._judge = judge
        self._anchored = anchored
        self._anchor_within = timedelta(hours=anchor_hours)
        self._dispute_within = timedelta(days=dispute_days)
        self._token = token
        self._clock = clock
        self._entropy = entropy

    async def begin(self, receipt_id: str, person: Person, reason: str) -> DisputeView:
        """Begin a dispute, or return the one that there is.

        Raises:
            UserError: no such reply, another fan's, forgotten, too old, too many, or a long reason.
        """
        reason = reason.strip().encode("utf-8", "replace").decode()
        if len(reason) > MAX_REASON:
            raise UserError("Please say it in at most 1,000 characters.")
        now = self._clock.now()
        async with self._store.transaction() as tx:
            intent, _ = await find_own(tx, receipt_id, person)
            known = await tx.find_dispute(receipt_id)
            if known is not None:
                return _view(known)
            if now - intent.created_at > self._dispute_within:
                raise UserError(
                    f"A reply can be disputed for {self._dispute_within.days} days, and this one "
                    "is older. With its proof link you, and anybody else, can still check it."
                )
            account = await own_account(tx, person, self._entropy, now)
            theirs = await tx.disputes_of(account.name)
            if sum(one.at >= now - DAY for one in theirs) >= DAILY:
                raise UserError(f"At most {DAILY} disputes in 24 hours, please: try tomorrow.")
            dispute = StoredDispute(
                receipt_id, account.name, reason, DisputeState.CHECKING, CHECKING, nano=0, at=now
            )
            await tx.add_dispute(dispute)
        _log.info("dispute.begun", receipt=receipt_id)
        return _view(dispute)

    async def of(self, person: Person) -> tuple[DisputeView, ...]:
        """Return a fan's disputes, newest first."""
        async with self._store.reading() as tx:
            account = await tx.account_of(person)
            found = [] if account is None else await tx.disputes_of(account.name)
        return tuple(map(_view, found))

    async def run(self) -> int:
        """Check what waits; return how many disputes were decided."""
        async with self._store.reading() as tx:
            waiting = await tx.open_disputes()
        decided = 0
        for dispute in waiting:
            try:
                decided += await self._check(dispute)
            except TransientError as error:
                _log.info("dispute.delayed", receipt=dispute.receipt_id, reason=str(error))
            except BotError as error:  # the others are not held up by it; the next run tries again
                _log.error("dispute.failed", receipt=dispute.receipt_id, reason=str(error))
        return decided

    async def _check(self, dispute: StoredDispute) -> bool:
        async with self._store.reading() as tx:
            reply = await tx.find_reply(dispute.receipt_id)
            intent = None if reply is None else await tx.find_intent(reply.intent)
        if reply is None or intent is None:
            return False
        if reply.erased:
            # Were it given back, whoever disputes and has it forgotten at once would never pay.
            return await self._decide(dispute, Judgement(upheld=False, sentence=FORGOTTEN))
        if reply.outcome is None:
            return False  # what is not decided yet will be within a day
        judgement = await self._in_time(dispute, reply)
        if judgement is None:
            return False
        if not judgement.upheld and await self._misses_anchor(intent, reply):
            hours = int(self._anchor_within.total_seconds()) // 3600
            late = f"but it was not anchored on the chain within {hours} hours."
            judgement = Judgement(upheld=True, sentence=f"{judgement.sentence[:-1]}, {late}")
        return await self._decide(dispute, judgement)

    async def _in_time(self, dispute: StoredDispute, reply: StoredReply) -> Judgement | None:
        """Judge a reply; None while it may still be tried again.

        Whether its model is gone, its engine fails each time, or its proof can't be put together:
        who can't show within a week that a reply is right gives its price back.
        """
        is_overdue = self._clock.now() - dispute.at >= GIVE_UP
        try:
            judgement = await self._judge.judge(reply)
        except BotError as error:
            if not is_overdue:
                raise
            _log.error("dispute.given_up", receipt=dispute.receipt_id, reason=str(error))
            judgement = None
        if judgement is None and is_overdue:
            return Judgement(upheld=True, sentence=UNCHECKABLE)
        return judgement

    async def _misses_anchor(self, intent: Intent, reply: StoredReply) -> bool:
        """Whether a priced, delivered reply should be covered by a final epoch, and is not."""
        if reply.price_nano == 0 or reply.outcome != Outcome.DELIVERED.word:
            return False
        if self._clock.now() - intent.created_at < self._anchor_within:
            return False
        return not await self._anchored(reply.log_index)

    async def _decide(self, dispute: StoredDispute, judgement: Judgement) -> bool:
        state = DisputeState.UPHELD if judgement.upheld else DisputeState.REJECTED
        receipt_id, now = dispute.receipt_id, self._clock.now()
        async with self._store.transaction() as tx:
            known = await tx.find_dispute(receipt_id)
            reply = await tx.find_reply(receipt_id)
            if known is None or known.state is not DisputeState.CHECKING or reply is None:
                return False  # decided meanwhile, or its fan was forgotten
            nano, set_off = (
                await _give_back(tx, known.account, reply) if judgement.upheld else (0, 0)
            )
            sentence = judgement.sentence
            if judgement.upheld:
                sentence = f"{sentence} {self._given(nano, set_off)}"
            await tx.decide_dispute(receipt_id, state, sentence, nano=nano, at=now)
            await tx.add_notice(known.account, f"dispute {receipt_id}", f"Your dispute: {sentence}")
        _log.info(
            "dispute.decided",
            receipt=receipt_id,
            state=state.value,
            nano=nano,
            set_off_nano=set_off,
        )
        return True

    def _given(self, nano: int, set_off: int) -> str:
        if nano == 0:
            return "It had cost you nothing, so there was nothing to give back."
        against = (
            f"{format_nano(set_off)} {self._token} of its price were set against credit that you "
            "had spent before it was refunded"
        )
        if set_off == nano:
            return f"{against}, so nothing comes back to you."
        given = f"{format_nano(nano - set_off)} {self._token} were given back to your credit"
        return f"{given}, and {against}." if set_off else f"{given}."


async def _give_back(tx: StoreTransaction, account: str, reply: StoredReply) -> tuple[int, int]:
    """Give back what a reply has cost; return how much, and what the fan owed of it.

    It goes to the account of the person who disputes, which is the one that has paid; unless that
    was forgotten since: there nobody could use it.
    """
    hold = await tx.posted(hold_key(reply.intent))
    kept = reply.outcome == Outcome.DELIVERED.word and not reply.taken_back
    if hold is None or not kept:
        return 0, 0
    payer, nano, set_off = payer_of(source_of(hold)), reply.price_nano, 0
    if payer not in {Payer.PAID, Payer.PROMOTIONAL}:
        return 0, 0
    if payer is Payer.PAID:
        set_off = min(nano, await owed_by(tx, account))
    await tx.post(plan_dispute(reply.receipt_id, account, nano, payer, set_off_nano=set_off))
    return nano, set_off


def _view(dispute: StoredDispute) -> DisputeView:
    return DisputeView(dispute.receipt_id, dispute.state, dispute.sentence)
