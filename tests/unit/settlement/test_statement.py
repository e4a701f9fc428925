from bot.domain.settlement import EarningsStatement
from bot.settlement.publish import EpochPublisher
from bot.settlement.statement import EarningsStatements
from tests.fakes.chain import MemoryChain
from tests.fakes.epochs import MemoryEarnings, MemoryEpochStore
from tests.fakes.settlement_rig import payout_of, twin_id


async def test_a_statement_follows_fees_from_the_book_to_the_wallet() -> None:
    chain, store, book = MemoryChain(), MemoryEpochStore(), MemoryEarnings()
    statements = EarningsStatements(chain=chain, store=store, earnings=book)
    publisher = EpochPublisher(chain=chain, store=store, earnings=book)
    nobody = await statements.statement(twin_id(0))
    book.earn(twin_id(0), 5_000_500, payout=payout_of(0))
    before = await statements.statement(twin_id(0))
    await publisher.settle_now()
    book.earn(twin_id(0), 1_000, payout=payout_of(0))

    after = await statements.statement(twin_id(0))

    assert nobody == EarningsStatement(twin_id(0), bytes(20), 0, 0, 0, 0, 0, None)
    assert (before.earned_nano, before.committed_units, before.epoch) == (5_000_500, 0, 0)
    assert after == EarningsStatement(
        twin=twin_id(0),
        payout=payout_of(0),
        earned_nano=5_001_500,
        committed_units=5_000,
        claimed_units=5_000,
        payout_balance_units=5_000,
        epoch=1,
        commit_hash=chain.sends[0],
    )


async def test_a_silent_chain_leaves_the_books_figures() -> None:
    chain, store, book = MemoryChain(available=False), MemoryEpochStore(), MemoryEarnings()
    book.earn(twin_id(0), 2_000, payout=payout_of(0))

    statement = await EarningsStatements(chain=chain, store=store, earnings=book).statement(
        twin_id(0)
    )

    assert statement.earned_nano == 2_000
    assert (statement.claimed_units, statement.payout_balance_units) == (None, None)
