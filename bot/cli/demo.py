"""`demo`: the whole service on embedded defaults, with a chat in this terminal or a script."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.cli import printing
from bot.cli.proofs import EXACT
from bot.config import Settings
from bot.domain.errors import BotError, ChainUnavailableError, InvariantError
from bot.domain.money import format_nano
from bot.domain.settlement import Epoch
from bot.domain.wording import AI_LABEL, STARTER_NOTE
from bot.ports.chat import IncomingMessage, ReplyShown, Surface
from bot.receipts.link import parse_link
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.wiring.app import App, open_app
from bot.wiring.console import console_chat, new_session
from bot.wiring.engine import no_progress
from bot.wiring.offline import replay_fresh

SCRIPT = Surface(platform="terminal", bot="local", chat="script", thread="")
FAN = "script"
SETTLE_S, HANGS_S = 20.0, 5.0
NO_ANSWER = "the chain does not answer in time"


async def interactive(settings: Settings, *, twin: str | None) -> int:
    """Run the service with a chat in this terminal until the person leaves."""
    async with AsyncExitStack() as stack:
        with printing.step_bar() as bar:
            app = await stack.enter_async_context(open_app(settings, progress=bar, wanted=twin))
        await _introduce(app)
        chat = console_chat(app, explain_proof=lambda link: _explain(app, link))
        await _until_signal(chat.run(twin))
        printing.say("Stopping: finishing replies and closing the book.")
    return 0


async def scripted(
    settings: Settings, *, twin: str | None, texts: Sequence[str], as_json: bool
) -> int:
    """Say each text, settle if that is soon done, audit; return the exit code.

    A reply was delivered, and costs its fee, whatever fails after it: in words it is shown at once,
    and the JSON of a run that was refused holds those that there are.
    """
    result: dict[str, Any] = {}
    try:
        async with AsyncExitStack() as stack:
            with printing.step_bar() as bar:
                app = await stack.enter_async_context(open_app(settings, progress=bar, wanted=twin))
            show = _no_show if as_json else _show_reply
            await _run_script(app, twin, texts, result=result, show=show)
    except BotError as error:
        if as_json and result:
            printing.print_json({**result, "refused": str(error)})
        raise
    if as_json:
        printing.print_json(result)
    else:
        _print_end(result)
    return 0 if result["audit"]["passed"] else 1


async def _run_script(
    app: App,
    twin: str | None,
    texts: Sequence[str],
    *,
    result: dict[str, Any],
    show: Callable[[ReplyShown], None],
) -> None:
    """Fill `result`, which at any moment holds what there is."""
    cards = await app.inbox.twins()
    slug = twin or cards[0].slug
    for card in cards:  # replies of a run that was killed are shown, and so delivered, now
        await app.inbox.history(card.slug, SCRIPT, FAN)
    session = new_session()
    described: list[dict[str, Any]] = []
    result |= {
        "twin": slug,
        "fan": f"{SCRIPT.platform}:{FAN}",
        "label": AI_LABEL,
        "replies": described,
    }
    replies = []
    for number, text in enumerate(texts, start=1):
        reply = await _say(app, slug, f"{session}-{number}", text)
        replies.append(reply)
        described.append(_as_delivered(reply))
        show(reply)
    await app.service.sign_head()
    epoch, waits = await _settle(app)
    for reply, so_far in zip(replies, described, strict=True):
        so_far.update(await _describe(app, reply))
    # A chain that keeps settlement waiting may not answer an audit either, which is no fault.
    audit = app.audit if waits is None else replace(app.audit, chain=None, funds=None)
    settlement = await _settlement(app, epoch, waits)
    findings = await audit.run()
    result |= {
        "recovered": app.recovered,
        "settlement": settlement,
        "audit": {"passed": not findings.wrong, "wrong": findings.wrong},
    }


async def _settle(app: App) -> tuple[Epoch | None, str | None]:
    """Settle, if that is soon done; return the newest final epoch, or what it waits for."""
    try:
        # The outer limit is for a step that hangs; any step may be cut off, the next run goes on.
        async with asyncio.timeout(SETTLE_S + HANGS_S):
            return await app.settlement.settle_now(timeout_s=SETTLE_S), None
    except ChainUnavailableError as error:
        return None, str(error).rstrip(".") or NO_ANSWER
    except TimeoutError:
        return None, NO_ANSWER


async def _settlement(app: App, epoch: Epoch | None, waits: str | None) -> dict[str, Any]:
    earnings = await app.inbox.earnings()
    return {
        "epoch": None if epoch is None else epoch.number,
        "waits": waits,
        "transaction": next((line.last_tx for line in earnings if line.last_tx), None),
        "creators": [
            {
                "twin": line.twin_name,
                "payout": line.payout,
                "earned": format_nano(line.accrued_nano),
                "committed": format_nano(line.committed_nano),
                "balance": None
                if line.chain_balance_nano is None
                else format_nano(line.chain_balance_nano),
                "token": line.token,
            }
            for line in earnings
        ],
    }


async def _say(app: App, slug: str, message_id: str, text: str) -> ReplyShown:
    message = IncomingMessage(twin=slug, surface=SCRIPT, fan=FAN, message_id=message_id, text=text)
    shown: ReplyShown | None = None
    async for event in app.inbox.answer(message):
        if isinstance(event, ReplyShown):
            shown = event
    if shown is None:
        raise InvariantError("a reply ended without a receipt")
    await app.inbox.delivered(shown.receipt_id)
    return shown


def _as_delivered(reply: ReplyShown) -> dict[str, Any]:
    return {
        "text": reply.text,
        "link": reply.link,
        "fee": format_nano(reply.fee_nano),
        "token": reply.token,
        "finish": reply.finish,
    }


async def _describe(app: App, reply: ReplyShown) -> dict[str, Any]:
    """Verify and replay a reply, keep the fan's copy of its bundle, and say what was found."""
    verified, saved = await _verify_own(app, reply.link)
    levels = list(verified.levels)
    if verified.receipt.rule is None:  # a fixed answer is all verified: nothing was generated
        replayed = await replay_fresh(
            verified,
            model_path=app.path_of(verified.manifest.model.gguf),
            threads=0,
            progress=no_progress,
        )
        levels += [EXACT] if replayed.outcome.exact else []
    return {"levels": levels, "trust": verified.trust, "bundle": saved}


async def _verify_own(app: App, link: str) -> tuple[VerifiedReceipt, str]:
    """Verify a link of this very service and keep a copy.

    Without a policy: keys that the service names for itself are worth nothing more.
    """
    parsed = parse_link(link)
    bundle = await app.proofs.bundle(parsed.receipt_id or "")
    if bundle is None:
        raise InvariantError("a reply that was shown has no bundle")
    verified = verify_bundle(bundle, key=parsed.key, policy=None, receipt_id=parsed.receipt_id)
    return verified, str(app.save_proof(verified.receipt_id, bundle))


async def _explain(app: App, link: str) -> str:
    verified, saved = await _verify_own(app, link)
    lines = [f"  {step.number:>2} {step.title}: {step.sentence}" for step in verified.steps]
    lines.append(f"  Verified here: {', '.join(verified.levels)}. Your copy: {saved}")
    lines.append("  What this does not show:")
    lines += [f"    - {sentence}" for sentence in verified.unproved]
    lines.append(f"  Make it again, token by token: {Path(sys.argv[0])} replay '{link}'")
    return "\n".join(lines)


async def _introduce(app: App) -> None:
    """Say what was started and where things are."""
    printing.say("")
    printing.say(f"Twinproof is running. Chat page  {app.base_url}/")
    printing.say(f"  data    {app.folder}  (book, keys, chain; survives restarts)")
    printing.say(f"  model   {app.model.terms.name}, SHA-256 {app.model.terms.gguf.hex()[:16]}…")
    profile = "exact: replies replay bit for bit" if app.exact else "tolerant"
    for notice in app.notices:
        printing.say(f"  note    {notice}")
    printing.say(f"  engine  {app.engine.library}, {app.engine.remark}; profile {profile}")
    printing.say(f"  trust   {app.folder / 'trust.json'}  (for twinproof verify --trust)")
    if app.recovered:
        printing.say(f"  replies finished that were cut off last time: {app.recovered}")
    if app.model.starter:
        printing.say(f"  {STARTER_NOTE}")
    printing.say("")


async def _until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run until the work ends or the process is asked to stop."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _show_reply(reply: ReplyShown) -> None:
    printing.print_result(f"[{AI_LABEL}] {reply.text}")
    printing.print_result(f"  fee {format_nano(reply.fee_nano)} {reply.token}  proof {reply.link}")


def _no_show(_: ReplyShown) -> None:
    """Show nothing: the JSON holds it."""


def _print_end(result: dict[str, Any]) -> None:
    for number, reply in enumerate(result["replies"], start=1):
        printing.print_result(f"reply {number}: {', '.join(reply['levels'])}")
    settlement, waits = result["settlement"], result["settlement"]["waits"]
    if waits is None:
        printing.print_result(f"epoch {settlement['epoch']}: {settlement['transaction']}")
    else:
        printing.print_result(f"The replies are delivered; settlement waits: {waits}.")
    for creator in settlement["creators"]:
        balance = creator["balance"] or "unknown"
        printing.print_result(
            f"  {creator['twin']}: earned {creator['earned']}, on-chain {balance} "
            f"{creator['token']}"
        )
    verdict = "passed" if result["audit"]["passed"] else "FAILED"
    left_out = "" if waits is None else " (the chain was left out)"
    printing.print_result(f"audit {verdict}{left_out}")
