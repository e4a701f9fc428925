"""The creators' room over the real file: a whole life, and fees without a payout address."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.creators import SCHEMA as CREATORS_SCHEMA
from adapters.sqlite.creators import SqliteCreatorStore
from adapters.sqlite.database import Database
from adapters.sqlite.earnings import SqliteEarnings
from adapters.sqlite.epochs import SCHEMA as EPOCHS_SCHEMA
from adapters.sqlite.epochs import SqliteEpochStore
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.domain.statements import Outcome
from bot.ports.creators import DraftEdit
from bot.settlement.publish import EpochPublisher
from tests.stage import Stage
from tests.unit.creators.house import OTHER_WALLET, WALLET, ZOE, House

NOBODY = "0x" + "0" * 40


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA, EPOCHS_SCHEMA, CREATORS_SCHEMA)
    database = await Database.open(tmp_path / "book.db", schema=schema)
    stage = Stage(
        store=SqliteStore(database),
        reader=SqliteAuditReader(database),
        epochs=SqliteEpochStore(database),
        earnings=SqliteEarnings(database),
    )
    yield await House(stage, SqliteCreatorStore(database)).open()
    findings = await stage.audit()
    await database.close()
    assert findings.wrong == []


async def _settle(house: House) -> None:
    stage = house.stage
    await stage.signer.publish(stage.store)
    publisher = EpochPublisher(chain=stage.chain, store=stage.epochs, earnings=stage.earnings)
    await publisher.settle_now(timeout_s=5)


async def test_fees_without_a_payout_address_accrue_until_a_version_names_one(
    house: House,
) -> None:
    await house.live()
    reply = await house.say("m1")
    await house.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    await _settle(house)

    line = await house.desk.earnings(ZOE, "zoe")
    assert (line.payout, line.accrued_nano, line.claimed_nano) == (NOBODY, 1_700_000, 0)
    assert line.committed_nano == 1_700_000
    twin = house.stage.roster.find("zoe").manifest.twin
    assert await house.stage.chain.claimed([twin]) == (0,)

    await house.desk.edit(ZOE, "zoe", DraftEdit(role="a weaver"))
    await house.publish(payout=OTHER_WALLET.lower())
    reply = await house.say("m2")
    await house.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    await _settle(house)

    line = await house.desk.earnings(ZOE, "zoe")
    assert (line.payout, line.claimed_nano) == (OTHER_WALLET, 3_400_000)
    assert line.chain_balance_nano == 3_400_000


async def test_a_life_of_a_twin_over_the_real_file(house: House) -> None:
    await house.live()
    await house.say("m1")
    await house.sign(await house.desk.pause(ZOE, "zoe"))
    await house.sign(await house.desk.resume(ZOE, "zoe"))
    await house.desk.edit(ZOE, "zoe", DraftEdit(facts=("I fire at night.",)))
    await house.publish()
    await house.say("m2")
    await house.sign(await house.desk.revoke(ZOE, "zoe", 2))

    view = await house.desk.show(ZOE, "zoe")

    assert view.creator == WALLET
    assert [(v.version, v.state) for v in view.versions] == [(2, "revoked"), (1, "replaced")]
    assert view.state == "needs signature"
