"""What creators are told: their twin, what they are about to sign, what it has earned."""

from collections.abc import Sized
from datetime import datetime

import discord

from adapters.discord_chat.creators.forms import label_of
from adapters.discord_chat.layout import split_text
from adapters.discord_chat.privately import Said
from bot.domain.money import format_nano
from bot.ports.creators import ImportedCard, PauseResult, SigningLink, TwinView
from bot.ports.views import EarningsLine

FITS = 1900
VERSIONS_SHOWN = 8
SIGN_LABEL = "Open the signing page"
DRAFT_MARK = "-# Draft of {slug}: not billed, no proof, not remembered. Only you see this.\n"
LEFT_OUT = (
    "Longer than a window of Discord holds, so left out here and not changed by it: {labels}. "
    "To change that, use /creator export, edit the file, then /creator import."
)
TOO_LONG = (
    "{labels} of {slug} are longer than a window of Discord holds, so I don't open one that would "
    "cut them. Use /creator export, edit the file, then /creator import."
)

NO_ACCOUNT = (
    "No payout address yet: your share is kept for you until a version names one, which you choose "
    "on the signing page."
)


def show(view: TwinView) -> Said:
    """Return all that a creator wants to know of a twin."""
    owner = f"signed by `{view.creator}`" if view.creator else "not signed by anybody yet"
    lines = [
        f"**{_plain(view.draft.name)}** (`{view.slug}`): {view.state}, {owner}.",
        _draft_line(view),
        f"Reports on replies: {view.reports}.",
    ]
    lines += [
        f"- version {one.version}: {one.state}, published {_when(one.published_at)}"
        for one in view.versions[:VERSIONS_SHOWN]
    ]
    files = [(f"{view.slug}-persona.txt", view.persona_text.encode())]
    changes = "\n".join(view.changes)
    block = f"\nNot published yet:\n```diff\n{_fenced(changes)}\n```"
    text = "\n".join(lines)
    if changes and len(text) + len(block) <= FITS:
        text += block
    elif changes:
        text += f"\nNot published yet: see {view.slug}-changes.diff."
        files.append((f"{view.slug}-changes.diff", changes.encode()))
    elif view.versions:
        text += "\nThe draft is what was published last."
    return Said(text, tuple(files))


def _draft_line(view: TwinView) -> str:
    draft = view.draft
    picture = "a picture" if view.has_avatar else "no picture"
    return (
        f"The draft: {view.price}, {picture}, {_count(draft.facts, 'fact')}, "
        f"{_count(draft.examples, 'example')}, temperature {draft.temperature}, top-p "
        f"{draft.top_p}, top-k {draft.top_k}, min-p {draft.min_p}, presence penalty "
        f"{draft.presence_penalty}, frequency penalty {draft.frequency_penalty}, at most "
        f"{draft.max_tokens} tokens a reply."
    )


def saved(view: TwinView) -> str:
    """Return what is said after a change."""
    lines = _count(view.changes, "changed line")
    waiting = f" Not published yet: {lines} (/creator publish)." if view.changes else ""
    return f"Saved: the draft of {_plain(view.draft.name)} (`{view.slug}`).{waiting}"


def imported(card: ImportedCard) -> Said:
    """Return what an import made of a card."""
    notes = "\n".join(f"- {note}" for note in card.notes)
    text = saved(card.view) + "\nPlease read it with /creator show before you publish it."
    if len(text) + len(notes) <= FITS:
        return Said(f"{text}\n{notes}" if notes else text)
    return Said(f"{text}\nWhat was left out or changed: see notes.txt.", (_file("notes", notes),))


def signing(title: str, link: SigningLink) -> Said:
    """Return where something is signed, and what."""
    lines = "\n".join(f"- {_plain(line)}" for line in link.summary)
    end = (
        f"Nothing changes until you sign. The page works until {_when(link.expires_at)}; its "
        "address is for you alone."
    )
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label=SIGN_LABEL, url=link.url))
    if len(title) + len(lines) + len(end) <= FITS:
        return Said(f"{title}\n{lines}\n{end}", view=view)
    text = f"{title} What you sign: see summary.txt.\n{end}"
    return Said(text, (_file("summary", "\n".join(link.summary)),), view)


def paused(result: PauseResult) -> Said:
    """Return what a pause has done, and where it can be signed as well."""
    if result.link is None:
        return Said(result.sentence)
    title = (
        f"{result.sentence} That holds already. You can sign it as well, so that it stands in the "
        "log; then it takes a signature to resume:"
    )
    said = signing(title, result.link)
    return Said(said.content.replace("Nothing changes until you sign. ", ""), said.files, said.view)


def resumed(result: PauseResult) -> Said:
    """Return what the end of a pause has done, or where it has to be signed first."""
    return Said(result.sentence) if result.link is None else signing(result.sentence, result.link)


def tested(slug: str, answer: str) -> Said:
    """Return the draft's answer, marked as one."""
    mark = DRAFT_MARK.format(slug=slug)
    if len(mark) + len(answer) <= FITS:
        return Said(mark + answer)
    first = split_text(answer)[0]
    return Said(f"{mark}{first}\n-# All of it: answer.txt", (_file("answer", answer),))


def earnings(line: EarningsLine) -> str:
    """Return a small table."""
    waiting = line.accrued_nano - line.committed_nano
    rows = [
        ("earned, by the book", format_nano(line.accrued_nano)),
        ("settled on-chain", format_nano(line.committed_nano)),
        ("waiting for settlement", format_nano(waiting)),
        ("paid out by the chain", format_nano(line.claimed_nano)),
    ]
    if line.held_nano:
        rows.insert(1, ("held for a while, beside it", format_nano(line.held_nano)))
    has_account = any(digit not in "0x" for digit in line.payout)
    account = NO_ACCOUNT
    if has_account:
        rows.append(("in your account now", _balance(line.chain_balance_nano)))
        account = f"Your account: `{line.payout}`"
    wide = max(len(amount) for _, amount in rows)
    table = "\n".join(f"{what:<24}{amount:>{wide}}" for what, amount in rows)
    last = "" if line.committed_nano else "Nothing of it is settled yet."
    if line.last_tx and line.committed_nano:
        last = f"Last settlement: `{line.last_tx}`"
    if line.statement:
        last += f"\nEvery fee, day by day (30 minutes, for you alone): <{line.statement}>"
    return f"**{_plain(line.twin_name)}**, in {line.token}\n```\n{table}\n```\n{account}\n{last}"


def given_back(sentence: str, slug: str, values: dict[str, str]) -> Said:
    """Return a refusal together with what the person has typed, so that it is not lost."""
    if not values:
        return Said(sentence)
    text = "\n\n".join(f"{label_of(name)}:\n{value}" for name, value in values.items())
    intro = f"{sentence}\nNothing was changed. What you wrote:"
    if "```" not in text and len(intro) + len(text) <= FITS:
        return Said(f"{intro}\n```\n{text}\n```")
    return Said(f"{intro} see the file.", (_file(f"{slug}-not-saved", text),))


def _file(name: str, text: str) -> tuple[str, bytes]:
    return f"{name}.txt", text.encode()


def _count(things: Sized, what: str) -> str:
    return f"{len(things)} {what}" + ("" if len(things) == 1 else "s")


def _balance(nano: int | None) -> str:
    return "chain unreachable" if nano is None else format_nano(nano)


def _when(moment: datetime) -> str:
    return discord.utils.format_dt(moment, "f")


def _plain(text: str) -> str:
    return discord.utils.escape_markdown(text)


def _fenced(text: str) -> str:
    return text.replace("```", "'''")
