"""What is not shown is not signed, whatever the service proposes."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from playwright.async_api import expect

from bot.domain.manifest import encode_manifest, parse_manifest, signing_data
from bot.domain.persona import Persona
from bot.ports.signing import PreparedSignature
from tests.acceptance.signing.browser import OTHER, Visit, expect_end, review, sign

pytestmark = pytest.mark.slow


Distortion = Callable[[PreparedSignature], PreparedSignature]


def _change_body(**changes: object) -> Distortion:
    """Let the service propose another manifest than the page shows, in itself consistent."""

    def distort(prepared: PreparedSignature) -> PreparedSignature:
        manifest = replace(
            parse_manifest(prepared.body.encode()), **cast("dict[str, Any]", changes)
        )
        body = encode_manifest(manifest).decode()
        data = signing_data(manifest)
        return PreparedSignature(body, data.typed_data(), "0x" + data.digest().hex())

    return distort


def _change_typed(prepared: PreparedSignature) -> PreparedSignature:
    changed: Any = json.loads(json.dumps(prepared.typed_data))
    changed["message"]["price"] = "0 TPT per reply, 100 a day free"
    return replace(prepared, typed_data=changed)


@pytest.mark.parametrize(
    ("distort", "reason"),
    [
        (_change_typed, "the wallet would be shown something else"),
        (lambda p: replace(p, digest="0x" + "0" * 64), "its digest is not what this browser works"),
        (lambda p: replace(p, body=p.body.replace(":", ": ", 1)), "not in canonical form"),
        (lambda p: replace(p, body='{"v":"twinproof-order/1"}'), "lacks"),
        (_change_body(payout=OTHER), "it pays another address"),
        (_change_body(creator=OTHER), "it names another creator"),
        (_change_body(twin=bytes(32)), "it is about another twin"),
        (_change_body(version=7), "it is another version"),
        (_change_body(name="Mira"), "it has another name"),
        (_change_body(persona=bytes(32)), "its persona is not the text shown here"),
    ],
)
async def test_what_is_not_shown_is_not_signed(
    visit: Visit, distort: Distortion, reason: str
) -> None:
    visit.desk.distort = distort
    page = await visit.open_with_wallet(visit.desk.invite())

    await page.get_by_role("button", name="Continue").click()

    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("proposes something else than this page shows")
    await expect(alert).to_contain_text(reason)
    await expect(page.locator("#review")).to_be_hidden()
    assert visit.wallet.asked == ["eth_requestAccounts"]


async def test_a_persona_with_every_part_is_recognised(visit: Visit) -> None:
    visit.desk.persona = Persona(
        name='Ana, "the voice"',
        role="singer, composer and host. Always",
        facts=("- I sing.", 'You don\'t talk about: rain, ",\\"off_limits\\":[]".'),
        off_limits=("politics, religion", "money", "taxes, rent, and debts", "Examples:"),
    )
    page = await visit.open_with_wallet(visit.desk.invite())
    await review(page)

    await sign(page)

    await expect_end(page, "done", "answers fans now")
