"""Level 2 through an RPC of the viewer's own choosing, and what the page may ask of whom."""

import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.acceptance.browsing import PATIENCE_MS, Visit
from tests.acceptance.proof_page.node import Node, running
from tests.acceptance.proof_page.states import State, show, trust

pytestmark = pytest.mark.slow


def _anchor(state: State) -> dict[str, Any]:
    anchor: dict[str, Any] = json.loads(state.file)["anchor"]
    return anchor


async def _ask(page: Page, address: str) -> None:
    await page.get_by_label("Your RPC").fill(address)
    await page.get_by_role("button", name="Ask this RPC").click()


async def test_a_named_contract_lifts_the_verdict_to_anchored(
    visit: Visit, states: dict[str, State]
) -> None:
    state = states["witnessed"]
    async with running(Node(_anchor(state))) as node:
        visit.welcome = {node.host}
        page = await show(visit, state)
        await trust(page, state.policy)
        await expect(page.locator("#rung-L2 .status")).to_have_text("claimed, not checked")

        await _ask(page, node.address)

        await expect(page.locator("h1")).to_have_text("Signed, logged and anchored on a chain")
        await expect(page.locator("#rung-L2")).to_contain_text("block 90, in a contract that")
        await expect(page.locator("#limits")).not_to_contain_text("blockchain")
        assert set(node.asked) == {"eth_chainId", "eth_getLogs", "eth_getBlockByNumber"}
        assert node.origins == {"null"}
        await expect(page.locator("iframe")).to_have_count(0)


async def test_a_contract_that_nobody_named_raises_nothing(
    visit: Visit, states: dict[str, State]
) -> None:
    async with running(Node(_anchor(states["anchored"]))) as node:
        visit.welcome = {node.host}
        page = await show(visit, states["anchored"])

        await _ask(page, node.address)

        rung = page.locator("#rung-L2")
        await expect(rung).to_contain_text("Name the contract in your trust policy")
        await expect(rung.locator(".status")).to_have_text("asked; the level is not reached")
        await expect(page.locator("#chips")).not_to_contain_text("L2")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"chain": 5}, "another chain"),
        ({"root": "ab" * 32}, "another root"),
        ({"final": 80}, "can still take back"),
    ],
)
async def test_a_chain_that_says_otherwise_is_told_in_words(
    visit: Visit, states: dict[str, State], changes: dict[str, Any], words: str
) -> None:
    async with running(Node(_anchor(states["anchored"]), **changes)) as node:
        visit.welcome = {node.host}
        page = await show(visit, states["anchored"])

        await _ask(page, node.address)

        await expect(page.locator("#rung-L2")).to_contain_text(words)
        await expect(page.locator("#rung-L2")).to_contain_text("the chain says otherwise")
        await expect(page.locator("html")).to_have_attribute("data-verdict", "verified")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("mainnet", "whole address"),
        ("ftp://node.example", "begins with https://"),
        ("https://me:secret@node.example", "without"),
    ],
)
async def test_what_is_no_address_is_said_at_the_field(
    visit: Visit, states: dict[str, State], typed: str, words: str
) -> None:
    page = await show(visit, states["anchored"])

    await _ask(page, typed)

    await expect(page.locator("#rpc-error")).to_contain_text(words)
    await expect(page.locator("#rpc")).to_be_focused()


async def test_only_the_chosen_host_is_asked_and_the_page_itself_asks_nobody(
    visit: Visit, states: dict[str, State]
) -> None:
    """An RPC that sends on to another host is refused, and so is the page's own script."""
    anchor = _anchor(states["anchored"])
    async with running(Node(anchor)) as other, running(Node(anchor)) as node:
        node.moved = other.address
        visit.welcome = {node.host}
        page = await show(visit, states["anchored"])

        await _ask(page, node.address)

        await expect(page.locator("#rung-L2")).to_contain_text(
            "does not answer", timeout=PATIENCE_MS
        )
        outside = "address => fetch(address, {method: 'POST'}).then(() => 'sent', () => 'refused')"
        assert await page.evaluate(outside, other.address) == "refused"
        assert other.asked == []
    refused = [line for line in visit.troubles if "Content Security Policy" in line]
    assert refused
    visit.troubles = [line for line in visit.troubles if line not in refused]
