"""A creator's statement as one HTML page: no script, nothing from elsewhere, printable."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from html import escape

from bot.domain.money import format_nano
from bot.domain.monthly import FeeRow, MonthlyStatement, Sums, by_day, state_of, sum_up
from bot.domain.payment import Payer
from bot.domain.settlement import NANO_PER_UNIT
from bot.domain.times import encode_time

MOST_ROWS = 500
"""More are in the CSV alone: a page of thousands of rows is of use to nobody."""
_STYLE = """
:root { color-scheme: light dark; --paper: #f7f6f2; --card: #fff; --ink: #1c211f; --soft: #5a635f;
 --line: #dfddd5; --accent: #0f6b5b; --held: #b7791f; }
@media (prefers-color-scheme: dark) { :root { --paper: #121514; --card: #1b201e; --ink: #e8ebe7;
 --soft: #a3ada8; --line: #303734; --accent: #6fd0b8; --held: #f0c674; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
 font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.25rem; display: grid; gap: 1.1rem; }
main > * { min-width: 0; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.05rem; margin: 0 0 .6rem; }
p { margin: 0 0 .5rem; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
 padding: 1.1rem 1.2rem; }
.soft { color: var(--soft); font-size: .88rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem;
 font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { text-align: right; padding: .28rem .5rem; border-top: 1px solid var(--line);
 white-space: nowrap; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; }
th:first-child, td:first-child { text-align: left; }
th[scope=row], th[scope=row] + td { white-space: normal; }
th[scope=row] { font-weight: 500; }
tfoot td, tfoot th { font-weight: 650; }
code { font: .8rem ui-monospace, Menlo, Consolas, monospace; }
.months { display: flex; gap: 1rem; flex-wrap: wrap; }
svg { width: 100%; height: auto; display: block; }
.bar { fill: var(--accent); } .heldbar { fill: var(--held); } .axis { stroke: var(--line); }
svg text { fill: var(--soft); font-size: 11px; }
@media print { body { background: #fff; color: #000; font-size: 10pt; }
 section { border: 0; padding: 0; break-inside: auto; } .noprint { display: none; }
 .wide { overflow: visible; } th, td { padding: .15rem .3rem; } tr { break-inside: avoid; } }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_PLOT_WIDTH, _PLOT_HEIGHT, _BASE = 620, 150, 120
_DAYS = 31


def render_page(statement: MonthlyStatement, token: str) -> str:
    """Return the page; `token` is the secret of its own address."""
    title = f"{statement.name}: statement of {statement.month:%B %Y}"
    total = sum_up(statement.rows)
    days = by_day(statement.rows)
    parts = (
        _head(statement, title, token),
        _section("In short", _totals(statement, total)),
        _funding(statement),
        _section("By day", _plot(days) + _days(days, total)),
        _section("Settled on-chain", _epochs(statement)),
        _section("Every reply", _rows(statement)),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def _head(statement: MonthlyStatement, title: str, token: str) -> str:
    first = statement.month
    before, after = first - timedelta(days=1), first + timedelta(days=_DAYS + 1)
    links = [
        (f"{token}?month={before:%Y-%m}", f"{before:%B %Y}"),
        (f"{token}?month={after:%Y-%m}", f"{after:%B %Y}"),
        (f"{token}/month.csv?month={first:%Y-%m}", "CSV"),
    ]
    anchors = "".join(f'<a href="/statement/{escape(to)}">{text}</a>' for to, text in links)
    return (
        f"<header><h1>{escape(title)}</h1>"
        f'<p class="soft">Twin <code>{statement.twin.hex()}</code>. Amounts are in '
        f"{escape(statement.token)}, days are UTC. A reply counts in the month in which its "
        "message came; a refund counts there too.</p>"
        f'<nav class="months noprint" aria-label="Months and file">{anchors}</nav></header>\n'
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>\n"


def _funding(statement: MonthlyStatement) -> str:
    """Say what stands behind the twin's fees, all of them and now."""
    if statement.funding is None:
        return ""
    words = statement.funding.words(statement.token)
    lines = "".join(f"<p>{escape(sentence)}</p>" for sentence in words)
    return _section("Now, of all months: what is funded", lines)


def _totals(statement: MonthlyStatement, total: Sums) -> str:
    rest = total.price_nano - total.earned_nano - total.operator_nano
    rows = [
        ("Replies delivered", str(total.replies)),
        ("Refunded", str(total.refunds)),
        ("Their price, together", format_nano(total.price_nano)),
        ("Yours", format_nano(total.earned_nano)),
        *(
            (f"of it, {_WORDS[payer]}", format_nano(nano))
            for payer, nano in total.by_payer.items()
            if nano
        ),
        ("The operator's", format_nano(total.operator_nano)),
        *([("Promotional credit, which pays nobody", format_nano(rest))] if rest else []),
        ("Held, because a platform may take it back", format_nano(total.held_nano)),
    ]
    times = sorted(row.payable_at for row in statement.rows if row.payable_at is not None)
    if times:
        words = f"{encode_time(times[0])} to {encode_time(times[-1])}"
        rows.append(("Becomes payable from", words))
    body = "".join(f"<tr><th scope=row>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f'<div class="wide"><table><tbody>{body}</tbody></table></div>'


_WORDS = {
    Payer.FREE: "free",
    Payer.SPONSOR: "paid by the operator's budget",
    Payer.PAID: "paid with bought credit",
    Payer.PROMOTIONAL: "paid with promotional credit",
}


def _plot(days: Mapping[date, Sums]) -> str:
    """Draw one bar for each day: what was earned, and what of it is held."""
    highest = max((sums.earned_nano for sums in days.values()), default=0)
    if highest <= 0:
        return "<p>Nothing was earned in this month.</p>"
    step = _PLOT_WIDTH // _DAYS
    bars = []
    for day, sums in days.items():
        for nano, kind in ((sums.earned_nano, "bar"), (sums.held_nano, "heldbar")):
            height = max(0, nano) * (_BASE - 10) // highest
            if height:
                place = f'x="{(day.day - 1) * step}" y="{_BASE - height}"'
                bars.append(f'<rect class="{kind}" {place} width="{step - 4}" height="{height}"/>')
    marks = "".join(
        f'<text x="{(day - 1) * step}" y="{_BASE + 16}">{day}</text>' for day in (1, 8, 15, 22, 29)
    )
    label = f"Earned a day; the highest bar is {format_nano(highest)}. The second colour is held."
    return (
        f'<svg viewBox="0 0 {_PLOT_WIDTH} {_PLOT_HEIGHT}" role="img" aria-label="{label}">'
        f'<line class="axis" x1="0" x2="{_PLOT_WIDTH}" y1="{_BASE}" y2="{_BASE}"/>'
        f'{"".join(bars)}{marks}</svg><p class="soft">{label}</p>'
    )


def _days(days: Mapping[date, Sums], total: Sums) -> str:
    head = (
        "day",
        "replies",
        "refunds",
        *(payer.word for payer in Payer),
        "yours",
        "operator",
        "held",
    )
    lines = [(f"{day:%Y-%m-%d}", *_cells(sums)) for day, sums in days.items()]
    return _table("Your part by whose money it was", head, lines, ("together", *_cells(total)))


def _cells(sums: Sums) -> tuple[str, ...]:
    nano = (
        *(sums.by_payer[payer] for payer in Payer),
        *(sums.earned_nano, sums.operator_nano, sums.held_nano),
    )
    return (str(sums.replies), str(sums.refunds), *map(format_nano, nano))


def _epochs(statement: MonthlyStatement) -> str:
    if not statement.epochs:
        return "<p>No final epoch covers any of these replies yet.</p>"
    head = ("epoch", "entries", "cumulative", "held", "transaction")
    lines = [
        (
            *(str(one.epoch), str(one.entries), format_nano(one.cumulative_units * NANO_PER_UNIT)),
            format_nano(one.held_nano),
            "" if one.transaction is None else f"<code>0x{one.transaction.hex()}</code>",
        )
        for one in statement.epochs
    ]
    return _table("Epochs that cover replies of this month; amounts since ever", head, lines)


def _rows(statement: MonthlyStatement) -> str:
    head = (
        *("entry", "receipt", "number", "time", "payer", "outcome", "price", "yours", "leaf"),
        *("ledger", "epoch", "state"),
    )
    shown = statement.rows[:MOST_ROWS]
    left = len(statement.rows) - len(shown)
    more = f'<p class="soft">{left} more rows are in the CSV.</p>' if left else ""
    return _table("Entries of the twin log", head, map(_line, shown)) + more


def _line(row: FeeRow) -> tuple[str, ...]:
    return (
        *(str(row.index), f'<a href="/r/{row.receipt_id}"><code>{row.receipt_id}</code></a>'),
        *(str(row.seq), encode_time(row.at), row.payer.word, row.outcome.word),
        *(format_nano(row.price_nano), format_nano(row.earned_nano), str(row.leaf)),
        "" if row.transaction is None else str(row.transaction),
        "" if row.epoch is None else str(row.epoch),
        state_of(row),
    )


def _table(
    caption: str,
    head: Iterable[str],
    lines: Iterable[tuple[str, ...]],
    foot: tuple[str, ...] = (),
) -> str:
    """Return a table; what stands in its cells is HTML already."""
    titles = "".join(f"<th scope=col>{name}</th>" for name in head)
    body = "".join(f"<tr>{_tds(line)}</tr>" for line in lines)
    end = f"<tfoot><tr>{_tds(foot)}</tr></tfoot>" if foot else ""
    return (
        f'<div class="wide"><table><caption>{caption}</caption><thead><tr>{titles}</tr></thead>'
        f"<tbody>{body}</tbody>{end}</table></div>"
    )


def _tds(cells: Iterable[str]) -> str:
    return "".join(f"<td>{cell}</td>" for cell in cells)
