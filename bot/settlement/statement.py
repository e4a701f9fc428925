"""What a creator is told about their fees, from the book to the chain."""

from bot.domain.errors import ConfigurationError, TransientError
from bot.domain.settlement import NO_PAYOUT, EarningsStatement, Epoch
from bot.domain.transactions import Purpose, TransactionState
from bot.ports.chain import SettlementChain
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.vetoed import standing


class EarningsStatements:
    """Answers the chat's `/earnings`."""

    def __init__(
        self, *, chain: SettlementChain, store: EpochStore, earnings: EarningsReader
    ) -> None:
        self._chain = chain
        self._store = store
        self._earnings = earnings

    async def statement(self, twin: bytes) -> EarningsStatement:
        """Return one twin's statement (`twin` is 32 bytes).

        A chain that can't be asked leaves its two figures None; a twin without receipts has zeros.
        """
        earned = await self._earnings.earned(twin)
        epoch = await standing(self._store)
        payout = earned.payout if earned else NO_PAYOUT
        claimed, balance = await self._ask_chain(twin, payout)
        committed = _committed(epoch, twin)
        return EarningsStatement(
            twin=twin,
            payout=payout,
            earned_nano=earned.cumulative_nano if earned else 0,
            committed_units=committed,
            claimed_units=claimed,
            payout_balance_units=balance,
            epoch=epoch.number if epoch else 0,
            commit_hash=await self._commit_hash(epoch),
            held_nano=earned.held_nano if earned else 0,
        )

    async def _ask_chain(self, twin: bytes, payout: bytes) -> tuple[int | None, int | None]:
        try:
            (claimed,) = await self._chain.claimed([twin])
            balance = 0 if payout == NO_PAYOUT else await self._chain.balance(payout)
        except (TransientError, ConfigurationError):
            # Away, or another chain than it was: the publisher says so to the operator.
            return None, None
        return claimed, balance

    async def _commit_hash(self, epoch: Epoch | None) -> bytes | None:
        if epoch is None:
            return None
        for transaction in await self._store.transactions(Purpose.COMMIT, epoch.number):
            if transaction.state is TransactionState.FINAL:
                return transaction.signed.hash
        return None


def _committed(epoch: Epoch | None, twin: bytes) -> int:
    earnings = epoch.earnings if epoch else ()
    return next((item.cumulative_units for item in earnings if item.twin == twin), 0)
