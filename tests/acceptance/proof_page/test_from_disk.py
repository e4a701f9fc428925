"""The page as a file on disk: no network, proofs chosen or dropped."""

import json
from pathlib import Path

import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.acceptance.browsing import Visit
from tests.acceptance.proof_page.node import Node, running
from tests.acceptance.proof_page.states import State

pytestmark = pytest.mark.slow

_PAGE = Path(__file__).parents[3] / "adapters" / "web" / "pages" / "proof.html"
_SAID = "About ships that come home late."
_DROP = """([name, text]) => {
  const files = new DataTransfer();
  files.items.add(new File([text], name));
  document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true }));
}"""


async def _choose(page: Page, name: str, text: str) -> None:
    file: FilePayload = {"name": name, "mimeType": "application/json", "buffer": text.encode()}
    await page.get_by_label("Proof file").set_input_files([file])


async def test_a_saved_page_checks_a_saved_proof_and_a_pasted_key(
    visit: Visit, states: dict[str, State]
) -> None:
    good = states["good"]
    page = await visit.open(_PAGE.as_uri())

    await _choose(page, "reply.json", good.file)
    await expect(page.locator("h1")).to_contain_text("contents closed")
    await expect(page.locator("#verdict")).to_contain_text("named by the file itself")
    await page.get_by_label("Proof link or key, if you have it").fill(good.key or "")

    await expect(page.locator("#exchange")).to_contain_text(_SAID)
    await expect(page.locator("#command")).to_have_text(
        f".venv/bin/twinproof replay 'reply.json#k={good.key}'"
    )
    await expect(page.locator("#share")).to_be_hidden()
    assert visit.hosts == set()


@pytest.mark.parametrize("how", ["file's name", "fragment"])
async def test_the_key_comes_with_the_files_name_or_the_pages_fragment(
    visit: Visit, states: dict[str, State], how: str
) -> None:
    good = states["good"]
    fragment = f"#k={good.key}"
    page = await visit.open(_PAGE.as_uri() + (fragment if how == "fragment" else ""))

    await _choose(page, "reply.json" + ("" if how == "fragment" else fragment), good.file)

    await expect(page.locator("#exchange")).to_contain_text(_SAID)


async def test_a_pasted_link_gives_the_code_of_its_public_part(
    visit: Visit, states: dict[str, State]
) -> None:
    good = states["good"]
    page = await visit.open(_PAGE.as_uri())
    await _choose(page, "reply.json", good.file)

    await page.get_by_label("Proof link or key, if you have it").fill(
        f"https://twin.example{good.link}"
    )

    await expect(page.locator("#exchange")).to_contain_text(_SAID)
    await expect(page.locator("#share-link")).to_have_text(f"https://twin.example/r/{good.id}")
    assert visit.hosts == set()


async def test_proof_and_policy_can_be_dropped(visit: Visit, states: dict[str, State]) -> None:
    state = states["witnessed"]
    page = await visit.open(_PAGE.as_uri())

    await page.evaluate(_DROP, [f"reply.json#k={state.key}", state.file])
    await expect(page.locator("#exchange")).to_contain_text(_SAID)
    await page.evaluate(_DROP, ["trust.json", json.dumps(state.policy)])

    await expect(page.locator("h1")).to_have_text("Signed, logged and witnessed")


async def test_a_disclosure_shows_its_fields_and_names_the_closed_ones(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await visit.open(_PAGE.as_uri())

    await _choose(page, "shown.json", states["disclosure"].file)

    await expect(page.locator("h1")).to_contain_text("chosen fields only")
    talk = page.locator("#talk")
    await expect(talk).to_contain_text(_SAID)
    message = "The fan\N{RIGHT SINGLE QUOTATION MARK}s message"
    await expect(talk).to_contain_text(f"{message} is not shown")
    await expect(talk.locator(".closed")).to_contain_text("which conversation")
    await expect(talk.locator(".closed")).not_to_contain_text("the reply,")
    await expect(talk.get_by_role("heading", name="which turn of it")).to_be_visible()
    await page.get_by_text("The ten steps").click()
    assert await page.locator(".steps .omitted").count() == 2
    assert "What do you sing about?" not in await page.locator("body").inner_text()


async def test_a_saved_page_asks_a_chain_too(visit: Visit, states: dict[str, State]) -> None:
    state = states["anchored"]
    anchor = json.loads(state.file)["anchor"]
    async with running(Node(anchor)) as node:
        visit.welcome = {node.host}
        page = await visit.open(_PAGE.as_uri())
        await _choose(page, f"reply.json#k={state.key}", state.file)

        await page.get_by_label("Your RPC").fill(node.address)
        await page.get_by_role("button", name="Ask this RPC").click()

        await expect(page.locator("#rung-L2")).to_contain_text("block 90")
    assert visit.hosts == {node.host}


async def test_what_is_no_proof_is_refused(visit: Visit) -> None:
    page = await visit.open(_PAGE.as_uri())

    await _choose(page, "reply.json", "{}")

    await expect(page.locator("h1")).to_have_text("This proof is false")
    await expect(page.locator("#chips")).to_have_text("failed at step 1")
