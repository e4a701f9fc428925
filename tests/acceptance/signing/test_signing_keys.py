"""Signing without a wallet: a key made in the browser, a key file, another machine."""

import asyncio
import json
from pathlib import Path
from typing import Literal

import pytest
from eth_account import Account
from playwright.async_api import Page, expect

from bot.crypto import eip712
from bot.domain.manifest import parse_manifest
from tests.acceptance.signing.browser import (
    ADDRESS,
    KEY,
    OTHER,
    OTHER_KEY,
    PASSWORD,
    Visit,
    downloaded,
    expect_end,
    open_offline,
    review,
    sign,
    sign_typed,
)
from tests.fakes.signing import NO_ADDRESS

pytestmark = pytest.mark.slow


async def test_a_foreign_signature_gets_the_services_sentence(visit: Visit) -> None:
    page = await open_offline(visit, visit.desk.invite(), ADDRESS)
    request = json.loads(await _save_request(page))

    await page.get_by_label("The signature that it prints").fill(
        sign_typed(OTHER_KEY, request["typed_data"])
    )
    await page.get_by_role("button", name="Send the signature").click()

    await expect(page.get_by_role("alert")).to_contain_text(f"not of {ADDRESS}")
    assert visit.desk.live is None


async def test_a_signature_is_carried_from_another_machine(visit: Visit) -> None:
    page = await open_offline(visit, visit.desk.invite(), ADDRESS.lower())
    request = json.loads(await _save_request(page))
    assert request["v"] == "twinproof-signing/1"
    manifest = parse_manifest(request["body"].encode())
    assert (manifest.creator, manifest.payout) == (ADDRESS, NO_ADDRESS)
    await expect(page.locator("#command")).to_contain_text("twinproof sign twinproof-request-mira")
    send = page.get_by_role("button", name="Send the signature")
    await page.get_by_label("The signature that it prints").fill("0x12")
    await send.click()
    await expect(page.get_by_role("alert")).to_contain_text("0x and 130 digits")

    signature = sign_typed(KEY, request["typed_data"]).upper().replace("0X", "0x")
    await page.get_by_label("The signature that it prints").fill(f" {signature}\n")
    await send.click()

    await expect_end(page, "done", "answers fans now")
    assert visit.desk.live == manifest


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("0x12", "An address is 0x and 40 digits or letters"),
        (ADDRESS[:-1] + ("0" if ADDRESS[-1] != "0" else "1"), "This address has a typing error"),
    ],
)
async def test_a_mistyped_address_is_told(visit: Visit, address: str, sentence: str) -> None:
    page = await visit.open(visit.desk.invite())
    await page.get_by_label("On another machine").check()
    await page.get_by_label("Address that signs").fill(address)

    await page.get_by_role("button", name="Continue").click()

    await expect(page.get_by_role("alert")).to_contain_text(sentence)
    assert [method for method, _ in visit.desk.calls] == ["look"]


async def test_a_key_made_here_signs_now_and_from_its_file_later(
    visit: Visit, tmp_path: Path
) -> None:
    page = await visit.open(visit.desk.invite())
    words, stored = await _make_key(page)
    key = bytes(await asyncio.to_thread(Account.decrypt, stored, PASSWORD))
    address = eip712.address_of(key)
    Account.enable_unaudited_hdwallet_features()
    assert Account.from_mnemonic(" ".join(words)).address == address
    await expect(page.get_by_label("Address that signs")).to_have_value(address)
    await expect(page.get_by_label("Address that your fees are paid to")).to_have_value("")
    await review(page)
    await expect(page.locator("#rows")).to_contain_text("nobody yet")
    await sign(page, "Sign with this key")
    await expect_end(page, "done", "Keep the key file and its password")
    live = visit.desk.live
    assert live is not None
    assert (live.creator, live.payout) == (address, NO_ADDRESS)
    kept = await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    assert kept == [0, 0, ""]

    saved = tmp_path / "key.json"
    saved.write_text(stored)
    page = await _open_key_file(visit, visit.desk.invite("pause"), saved, "not the password")
    await expect(page.get_by_role("alert")).to_contain_text("The password is not the one")
    await page.get_by_label("Its password").fill(PASSWORD)
    await page.get_by_role("button", name="Open it").click()
    await expect(page.locator("#review")).to_be_visible(timeout=60_000)
    await sign(page, "Sign with this key")

    await expect_end(page, "done", "is paused")


@pytest.mark.parametrize("kdf", ["pbkdf2", "scrypt"])
async def test_a_key_file_of_another_program_is_opened(
    visit: Visit, tmp_path: Path, kdf: Literal["pbkdf2", "scrypt"]
) -> None:
    visit.desk.creator = ADDRESS
    saved = tmp_path / "key.json"
    saved.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, kdf=kdf, iterations=4096)))
    page = await _open_key_file(visit, visit.desk.invite("pause"), saved, PASSWORD)

    await expect(page.locator("#review")).to_be_visible(timeout=60_000)
    await sign(page, "Sign with this key")

    await expect_end(page, "done", "is paused")


async def test_a_key_of_somebody_else_and_no_key_at_all_are_told(
    visit: Visit, tmp_path: Path
) -> None:
    visit.desk.creator = OTHER
    saved = tmp_path / "key.json"
    saved.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=10)))
    page = await _open_key_file(visit, visit.desk.invite("pause"), saved, PASSWORD)
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text(f"This twin belongs to {OTHER}, but this is {ADDRESS}.")
    await expect(page.get_by_role("button", name="Make a new key")).to_be_hidden()

    saved.write_text('{"version": 3}')
    await page.get_by_label("Key file", exact=True).set_input_files(saved)
    await page.get_by_role("button", name="Open it").click()

    await expect(alert).to_contain_text("This is not a key file")


async def test_a_recovery_phrase_gives_the_key_back(visit: Visit) -> None:
    Account.enable_unaudited_hdwallet_features()
    words = "test test test test test test test test test test test junk"
    visit.desk.creator = Account.from_mnemonic(words).address
    page = await visit.open(visit.desk.invite("pause"))
    await page.get_by_label("With a key file").check()
    await page.get_by_role("button", name="Enter my recovery phrase").click()
    await page.get_by_label("The twelve words").fill(words.replace("junk", "test"))
    await page.get_by_role("button", name="Use this key").click()
    await expect(page.get_by_role("alert")).to_contain_text("not the words of a recovery phrase")

    await page.get_by_label("The twelve words").fill(f"  {words.upper()}\n")
    await page.get_by_role("button", name="Use this key").click()
    await sign(page, "Sign with this key")

    await expect_end(page, "done", "is paused")


async def _save_request(page: Page) -> str:
    return await downloaded(page, "Save the request file")


async def _make_key(page: Page) -> tuple[list[str], str]:
    """Go through making a key; return its words and the text of its file."""
    await page.get_by_label("With a key file").check()
    await page.get_by_role("button", name="Make a new key").click()
    words = await page.locator("#phrase li").all_text_contents()
    await page.get_by_role("button", name="I have written them down").click()
    await expect(page.locator("#phrase li")).to_have_count(0)
    await page.locator("#word").fill("wrong")
    await page.locator("#word").press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("That is not the word.")
    label = await page.locator("#word-label").text_content() or ""
    number = int("".join(filter(str.isdigit, label)))
    await page.locator("#word").fill(words[number - 1])
    await page.locator("#word").press("Enter")
    await page.get_by_label("Password for the key file").fill(PASSWORD)
    await page.get_by_label("The same password again").fill(PASSWORD)
    stored = await downloaded(page, "Save the key file")
    await expect(page.locator("#who")).to_be_visible()
    return words, stored


async def _open_key_file(visit: Visit, token: str, file: Path, password: str) -> Page:
    page = await visit.open(token)
    await page.get_by_label("With a key file").check()
    await page.get_by_role("button", name="Open my key file").click()
    await page.get_by_label("Key file", exact=True).set_input_files(file)
    await page.get_by_label("Its password").fill(password)
    await page.get_by_role("button", name="Open it").click()
    return page
