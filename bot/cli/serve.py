"""`serve`: the service for fans on the chat platforms, until it is asked to stop."""

import asyncio
import signal
from contextlib import AsyncExitStack

import structlog

from bot.cli import printing
from bot.config import Settings
from bot.domain.errors import BotError, RestoredBackupError
from bot.ports.surfaces import ChatSurface
from bot.wiring.app import App, open_app
from bot.wiring.reads_only import open_reading

_log = structlog.get_logger()


async def serve(settings: Settings) -> int:
    """Run the configured platforms; one that fails or has no token does not stop the others.

    Returns:
        0 after a clean stop, 2 if every platform was refused, or nothing may be signed.
    """
    try:
        return await _serve(settings)
    except RestoredBackupError as error:
        _log.critical("log.restored_backup", reason=str(error))
        printing.refuse(str(error))
        return await _serve_reads(settings)


async def _serve_reads(settings: Settings) -> int:
    """Serve log and proofs until a signal, and answer nobody."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with open_reading(settings) as base_url:
        printing.say(f"Only log and earlier proofs are served, at {base_url}. Stop with Ctrl-C.")
        await stopping.wait()
    return 2


async def _serve(settings: Settings) -> int:
    async with AsyncExitStack() as stack:
        with printing.step_bar() as bar:
            app = await stack.enter_async_context(open_app(settings, progress=bar, serving=True))
        _introduce(app)
        for name, reason in app.platforms.refused.items():
            _off(name, reason, "ConfigurationError")
        refused = await _run_all(app)
    return 2 if refused else 0


def _introduce(app: App) -> None:
    """Say what was started and where things are."""
    names = ", ".join(app.platforms.surfaces)
    printing.say(f"Twinproof serves {names}. Proof links begin with {app.base_url}/r/")
    printing.say(f"  data    {app.folder}")
    for notice in app.notices:
        printing.say(f"  note    {notice}")
    printing.say(f"  model   {app.model.terms.name}, SHA-256 {app.model.terms.gguf.hex()[:16]}…")
    if app.recovered:
        printing.say(f"  replies finished that were cut off last time: {app.recovered}")
    printing.say("Stop with Ctrl-C.")


async def _run_all(app: App) -> bool:
    """Run every surface until a signal; return whether all of them were refused."""
    surfaces = app.platforms.surfaces
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    runs = [asyncio.create_task(_run(name, surface)) for name, surface in surfaces.items()]
    stopped = asyncio.create_task(stopping.wait())
    ended = asyncio.create_task(asyncio.wait(runs))
    await asyncio.wait((stopped, ended), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    printing.say("Stopping: finishing replies and closing the book.")
    for surface in surfaces.values():
        await surface.stop()
    await ended
    return not any(run.result() for run in runs)


async def _run(name: str, surface: ChatSurface) -> bool:
    """Run one surface; return False if the platform refused it."""
    try:
        await surface.run()
    except BotError as error:
        _off(name, str(error), type(error).__name__)
        return False
    return True


def _off(name: str, reason: str, kind: str) -> None:
    """Tell the operator that a platform is not served, and why."""
    _log.error("surface.ended", surface=name, error=kind)
    printing.refuse(f"{name} is off: {reason}")
