"""docs/verify_receipt.py: who pays for a reply, and what follows for its price (section 7)."""

from collections.abc import Callable

import pytest

from docs import verify_receipt as vr
from tests.vectors.standalone_world import H1, H2, H3, World, jcs, policy
from tests.vectors.test_standalone_forgeries import after, at, fixed, step_of


def paid(w: World) -> None:
    w.receipt |= {"payer": "paid", "rate_table": H2}


def promotional(w: World) -> None:
    w.receipt["payer"] = "promotional"
    w.receipt["price"] |= {"creator_nano": 0, "operator_nano": 0}


def free(w: World) -> None:
    w.manifest["price"]["nano"] = 0
    w.receipt["payer"] = "free"
    w.receipt["price"] |= {"nano": 0, "creator_nano": 0, "operator_nano": 0}


def free_and_fixed(w: World) -> None:
    free(w)
    fixed(w)


def registered(w: World) -> None:
    w.receipt["registry_block"] = {"chain": 84532, "number": 0, "hash": H3}


def largest(w: World) -> None:
    w.manifest["price"] = {"nano": 2**53 - 1, "token": "TWIN", "free_daily": 10000}
    w.manifest["split"] = {"creator_bp": 7000, "operator_bp": 3000}
    shares = {"creator_nano": 6305039478318693, "operator_nano": 2702159776422298}
    w.receipt["price"] = w.manifest["price"] | shares


def after_rates(w: World) -> None:
    w.first_leaf = b"\x08" + bytes(32)


GOOD = (paid, promotional, free, free_and_fixed, registered, largest, after_rates)


@pytest.mark.parametrize("change", GOOD, ids=lambda change: change.__name__)
def test_every_payer_verifies(change: Callable[[World], None]) -> None:
    world = World()
    change(world)

    assert step_of(world, policy()) == 0


# fmt: off
BAD = {
    "1 a payer that nobody knows": at("receipt", "payer", to="fan"),
    "1 no payer": at("receipt", "payer", to=None),
    "1 a rate table that is no hash": after(paid, at("receipt", "rate_table", to="c2")),
    "1 no free replies in the price": lambda w: w.receipt["price"].pop("free_daily"),
    "1 no free replies in the terms": at("manifest", "price", "free_daily", to=None),
    "1 too many free replies": at("manifest", "price", "free_daily", to=10001),
    "1 an operator's greed": at("manifest", "split", to={"creator_bp": 6999, "operator_bp": 3001}),
    "1 chain 0": at("receipt", "registry_block", to={"chain": 0, "number": 1, "hash": H1}),
    "1 block -1": at("receipt", "registry_block", to={"chain": 1, "number": -1, "hash": H1}),
    "1 block without a hash": at("receipt", "registry_block", to={"chain": 1, "number": 1}),
    "4 free replies": at("receipt", "price", "free_daily", to=4),
    "4 more free replies than any terms": at("receipt", "price", "free_daily", to=10001),
    "4 free, with a price": at("receipt", "payer", to="free"),
    "4 free, for a twin with a price": after(free, at("manifest", "price", "nano", to=1)),
    "4 a budget for a free twin": after(free, at("receipt", "payer", to="sponsor")),
    "4 a budget for a fixed answer": after(fixed, at("receipt", "payer", to="sponsor")),
    "4 credit for a free twin": after(free, paid),
    "4 bought without a rate table": at("receipt", "payer", to="paid"),
    "4 a rate table without a purchase": at("receipt", "rate_table", to=H2),
    "4 a rate table of a gift": after(promotional, at("receipt", "rate_table", to=H2)),
    "4 a rate table of a fixed answer": after(fixed, at("receipt", "rate_table", to=H2)),
    "4 the creator earns of a gift": at("receipt", "payer", to="promotional"),
    "4 a gift of nothing": after(promotional, at("receipt", "price", "nano", to=0)),
    "4 bought, and the creator earns nothing": after(promotional, paid),
    "4 another money": at("receipt", "price", "token", to="COIN"),
}
# fmt: on


@pytest.mark.parametrize("name", BAD)
def test_a_false_price_fails_at_its_step(name: str) -> None:
    world = World()
    BAD[name](world)

    assert step_of(world, policy()) == int(name.split(maxsplit=1)[0])


def test_the_cost_is_said_by_payer_and_outcome() -> None:
    def said(change: Callable[[World], None], outcome: str | None = "delivered") -> str:
        world = World()
        change(world)
        return vr.cost(vr.verify(jcs(world.bundle())).receipt, outcome)

    assert said(paid) == (
        "0.002000001 TWIN: the fan's bought credit pays; creator 0.001701, operator 0.000299001"
    )
    assert said(promotional).endswith("the creator earns nothing from it")
    assert said(free) == said(fixed, "refunded") == "0 TWIN: nobody pays"
    assert said(paid, "refunded").startswith("nothing, for it was refunded (0.002000001 TWIN")
