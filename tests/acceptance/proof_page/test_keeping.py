"""What a viewer takes along: files, codes, links, and a sheet of paper."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.acceptance.browsing import Visit
from tests.acceptance.proof_page.states import State, show

pytestmark = pytest.mark.slow

_PAGE = Path(__file__).parents[3] / "adapters" / "web" / "pages" / "proof.html"
_READ_CODE = """
import decodeQR from 'qr/decode.js';
const [path, side] = JSON.parse(process.argv.at(-1));
const zoom = 4, width = side * zoom, data = new Uint8Array(width * width * 4).fill(255);
for (const [, x, y] of path.matchAll(/M(\\d+) (\\d+)h1v1h-1z/g)) {
  for (let i = 0; i < zoom * zoom; i += 1) {
    const at = ((y * zoom + Math.floor(i / zoom)) * width + x * zoom + (i % zoom)) * 4;
    data.fill(0, at, at + 3);
  }
}
console.log(decodeQR({ width, height: width, data }));
"""


async def _download(page: Page, button: str) -> tuple[str, str]:
    """Press a button and return name and content of the file."""
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name=button).click()
    download = await waiting.value
    content = await asyncio.to_thread(Path(await download.path()).read_text)
    return download.suggested_filename, content


async def _read_code(page: Page, project: Path) -> str:
    """Read the QR code on the page with a decoder, as a phone would."""
    shown = page.locator("#qr svg")
    path = await shown.locator("path").get_attribute("d")
    side = int((await shown.get_attribute("viewBox") or "").split()[-1])
    given = json.dumps([path, side])
    command = ["node", "--input-type=module", "--eval", _READ_CODE, given]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=project, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


async def test_the_whole_proof_has_its_key_in_the_files_name(
    visit: Visit, states: dict[str, State]
) -> None:
    good = states["good"]
    page = await show(visit, good)

    name, content = await _download(page, "Download the proof, with its key")

    assert name == f"{good.id}.json#k={good.key}"
    assert content == good.file


async def test_public_proof_and_log_proof_hold_no_key(
    visit: Visit, states: dict[str, State]
) -> None:
    good = states["good"]
    page = await show(visit, good)
    await page.get_by_text("Raw evidence").click()

    public, bundle = await _download(page, "Public proof, without the key")
    log, proof = await _download(page, "Log proof")

    assert (public, bundle) == (f"{good.id}.public.json", states["public"].file)
    assert log == f"{good.id}.tlog-proof"
    assert proof == json.loads(good.file)["log"]["proof"]
    assert proof.startswith("c2sp.org/tlog-proof@v1\nindex 2\n")


async def test_a_code_holds_the_key_only_after_a_press_that_says_so(
    visit: Visit, states: dict[str, State], project: Path
) -> None:
    good = states["good"]
    page = await show(visit, good)
    assert await _read_code(page, project) == f"{visit.origin}/r/{good.id}"
    await expect(page.locator("#share-link")).to_have_text(f"{visit.origin}/r/{good.id}")

    await page.get_by_role("button", name="Show the code with the key").click()

    await expect(page.locator("#share-what")).to_contain_text("can read the message and the reply")
    assert await _read_code(page, project) == visit.origin + good.link
    await page.get_by_role("button", name="Back to the code without the key").click()
    assert await _read_code(page, project) == f"{visit.origin}/r/{good.id}"


async def test_without_a_key_there_is_no_private_code(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await show(visit, states["public"])

    await expect(page.locator("#qr svg")).to_be_visible()
    await expect(page.locator("#private")).to_be_hidden()


async def test_a_saved_page_is_the_published_file(visit: Visit, states: dict[str, State]) -> None:
    page = await show(visit, states["good"])

    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Save this page").click()
    saved = await asyncio.to_thread(Path(await (await waiting.value).path()).read_bytes)

    assert saved == _PAGE.read_bytes()


async def test_paper_holds_the_words_and_no_key(visit: Visit, states: dict[str, State]) -> None:
    good = states["good"]
    page = await show(visit, good)
    await page.get_by_role("button", name="Show the code with the key").click()

    await page.emulate_media(media="print")

    shown = await page.locator("body").inner_text()
    assert "About ships that come home late." in shown
    assert good.key is not None
    assert good.key not in shown
    await expect(page.locator("#qr")).to_be_hidden()
