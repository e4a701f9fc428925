"""A person's own copy of what is stored about them, as JSON that people can read."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.crypto.dsse import parse_envelope
from bot.domain.money import format_nano
from bot.domain.statements import VoidReason, VoidStatement
from bot.domain.times import encode_time
from bot.ports.fans import Asked, FanRecords, Person, PrivatePick, Report
from bot.ports.stores import Intent, StoredReply
from bot.receipts.link import format_link

FORMAT = "twinproof-export/1"
Token = Callable[[bytes], Awaitable[str]]
_Json = dict[str, Any]


async def build_export(
    records: FanRecords,
    person: Person,
    *,
    token_of: Token,
    base_url: str,
    moment: datetime,
    money: Mapping[str, object],
) -> bytes:
    """Return everything about one person; the key of each proof link is theirs.

    Args:
        records: where it is stored.
        person: whose data.
        token_of: returns the settlement token's symbol for a manifest's hash.
        base_url: what proof links begin with.
        moment: now.
        money: what there is of theirs (`export_money`).
    """
    conversations: dict[tuple[str, ...], list[_Json]] = defaultdict(list)
    position = 0
    while page := await records.asked(person, after=position):
        for asked in page:
            token = await token_of(asked.intent.manifest)
            conversations[_place_of(asked.intent)].append(_turn(asked, token, base_url))
        position = page[-1].position
    whole = {
        "format": FORMAT,
        "platform": person.platform,
        "person": person.fan,
        "exported_at": encode_time(moment),
        "conversations": [
            {
                "twin": twin,
                "place": {"bot": bot, "chat": chat, "thread": thread, "server": server},
                "turns": turns,
            }
            for (twin, bot, chat, thread, server), turns in conversations.items()
        ],
        "picked_twins": _picks(await records.picks(person)),
        "reports": _reports(await records.reports_by(person)),
        "money": money,
    }
    return json.dumps(whole, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"


def _place_of(intent: Intent) -> tuple[str, ...]:
    message, surface = intent.message, intent.message.surface
    return (message.twin, surface.bot, surface.chat, surface.thread, message.server)


def _turn(asked: Asked, token: str, base_url: str) -> _Json:
    intent = asked.intent
    turn: _Json = {
        "time": encode_time(intent.created_at),
        "messages": [{"id": part.id, "text": part.text} for part in intent.parts],
    }
    if intent.regenerate is not None:
        turn["another_reply"] = {"number": intent.attempt, "asked_by": intent.regenerate}
    if asked.reply is None:
        return turn | {"reply": None, "state": _state_of(intent)}
    return turn | {"reply": _reply(asked.reply, token, base_url)}


def _state_of(intent: Intent) -> str:
    if intent.void_statement is None:
        return "open"
    reason = VoidStatement.parse(parse_envelope(intent.void_statement).payload).reason
    return "drawn again" if reason is VoidReason.REJECTED else "not answered"


def _reply(reply: StoredReply, token: str, base_url: str) -> _Json:
    return {
        "text": reply.text,
        "finish": reply.finish,
        "halted_by": reply.halt,
        "outcome": reply.outcomes[-1].word if reply.outcomes else "not yet known",
        "fee": f"{format_nano(reply.price_nano)} {token}",
        "receipt": reply.receipt_id,
        "proof": format_link(base_url, reply.receipt_id, key=reply.opening_key),
    }


def _picks(picks: Sequence[PrivatePick]) -> list[_Json]:
    return [
        {
            "twin": pick.twin,
            "place": {
                "bot": pick.surface.bot,
                "chat": pick.surface.chat,
                "thread": pick.surface.thread,
            },
        }
        for pick in picks
    ]


def _reports(reports: Sequence[Report]) -> list[_Json]:
    return [
        {
            "time": encode_time(report.at),
            "twin": report.slug,
            "receipt": report.receipt_id,
            "reason": report.reason,
        }
        for report in reports
    ]
