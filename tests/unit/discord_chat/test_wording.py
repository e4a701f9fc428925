"""What creators are told fits into Discord's messages, and loses nothing that they wrote."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from adapters.discord_chat.creators import wording
from bot.ports.creators import (
    DraftText,
    ImportedCard,
    PauseResult,
    PublishedVersion,
    SigningLink,
    TwinView,
)
from bot.ports.views import EarningsLine

WHEN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DRAFT = DraftText("Luna", "a stargazer", (), (), (), "0.8", "0.95", 40, 200)
VIEW = TwinView("luna", "live", DRAFT, "0.002 T per reply", "You are.", (), (), "", 0, False)  # noqa: FBT003  as its port has it
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
LINES = st.lists(TEXTS, max_size=20)
LINE = EarningsLine("Luna", "tUSD", 1_700_000, 700_000, 500_000, "0x" + "0" * 40, None, None)


@given(LINES)
def test_what_was_refused_is_given_back_whole(lines: list[str]) -> None:
    text = "\n".join(lines)

    said = wording.given_back("No.", "luna", {"facts": text, "role": "a stargazer"})

    assert len(said.content) <= 2000
    kept = said.files[0][1].decode() if said.files else said.content
    assert text in kept
    assert "a stargazer" in kept


@given(LINES)
def test_a_view_with_any_changes_fits(lines: list[str]) -> None:
    versions = tuple(PublishedVersion(n, b"", WHEN, "replaced") for n in range(40, 0, -1))

    said = wording.show(replace(VIEW, changes=tuple(lines), versions=versions))

    assert len(said.content) <= 2000
    assert said.content.count("```") % 2 == 0
    assert said.files[0] == ("luna-persona.txt", b"You are.")


@given(LINES)
def test_summaries_and_notes_fit_or_become_files(lines: list[str]) -> None:
    link = SigningLink("https://t.example/sign/" + "t" * 43, tuple(lines), WHEN)
    for said in (
        wording.signing("**Publish `luna`.** You sign:", link),
        wording.paused(PauseResult("Luna is paused.", link)),
        wording.imported(ImportedCard(VIEW, tuple(lines))),
        wording.tested("luna", "\n".join(lines)),
    ):
        assert len(said.content) <= 2000


def test_amounts_stand_below_each_other() -> None:
    table = wording.earnings(replace(LINE, chain_balance_nano=12_000_000_000))

    rows = table.split("```")[1].strip().splitlines()
    assert len({len(row) for row in rows}) == 1
    assert rows[2].split() == ["waiting", "for", "settlement", "0.001"]
    assert "No payout address yet" in table
    assert "Nothing of it is settled yet" in wording.earnings(replace(LINE, committed_nano=0))


def test_names_cannot_dress_as_other_text() -> None:
    said = wording.saved(replace(VIEW, draft=replace(DRAFT, name="**Luna**")))

    assert "\\*\\*Luna\\*\\*" in said
