"""What an outsider does: fetch or open a bundle, replay it, audit a data folder."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.audit.run import Audit
from bot.config import ModelSettings
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.domain.errors import (
    BotError,
    ConfigurationError,
    TransientError,
    UserError,
    VerificationError,
)
from bot.domain.printable import printable
from bot.generation.verdict import Calibration
from bot.ports.inference import ReplayOutcome
from bot.receipts.bundle import parse_bundle
from bot.receipts.link import ProofLink
from bot.receipts.verify import VerifiedReceipt
from bot.twins.replay import Finding, assess, replay
from bot.wiring.app import KEYS, PROOFS
from bot.wiring.engine import STARTER, Progress, check_model, open_engine
from bot.wiring.keys import ServiceKeys
from bot.wiring.models import find_stored
from bot.wiring.stores import DATABASE, open_chain_snapshot, open_stores

MOST_AT_ONCE = 64
DEFAULTS = ModelSettings()


async def load_bundle(link: ProofLink, *, data_dir: Path) -> tuple[bytes, str]:
    """Return a bundle's bytes and where they came from, in words.

    A host that does not answer is no loss when the fan has kept a copy: the folder `proofs` of the
    data folder holds those that the demo saved.

    Raises:
        UserError: there is no such bundle or file.
        TransientError: the host can't be reached and there is no saved copy.
    """
    from adapters.files.proofs import ProofFolder
    from adapters.web.fetch import fetch_bundle

    if not link.is_remote or link.receipt_id is None:
        try:
            return await asyncio.to_thread(Path(link.location).read_bytes), link.location
        except OSError as error:
            raise UserError(
                f"The bundle {link.location} can't be read: {error.strerror}."
            ) from error
    try:
        return await fetch_bundle(link.location), link.location
    except TransientError:
        saved = ProofFolder(data_dir / PROOFS).path_of(link.receipt_id)
        if not saved.exists():
            raise
        return await asyncio.to_thread(saved.read_bytes), f"{saved} (its host does not answer)"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A reply that was made again.

    Attributes:
        own_thresholds: whether those that were applied were made for this very model.
    """

    outcome: ReplayOutcome
    finding: Finding
    calibration: Calibration
    own_thresholds: bool


async def replay_fresh(
    verified: VerifiedReceipt,
    *,
    model_path: Path | None,
    threads: int,
    progress: Progress,
    store: str = DEFAULTS.store,
) -> Replayed:
    """Replay a verified reply in an engine process of its own, from bundle and weights alone.

    Args:
        verified: from `verify_bundle`, with the fan's key.
        model_path: the GGUF; None for the store's that the receipt names, or the starter.
        threads: 0 for all cores but one.
        progress: told of the long steps.
        store: the folder of models.

    Raises:
        ConfigurationError: the file is another model than the receipt's.
    """
    (found,) = await replay_together(
        [verified], model_path=model_path, threads=threads, progress=progress, store=store
    )
    if isinstance(found, BotError):
        raise found
    return found


async def replay_together(
    receipts: Sequence[VerifiedReceipt],
    *,
    model_path: Path | None,
    threads: int,
    progress: Progress,
    store: str = DEFAULTS.store,
) -> list[Replayed | BotError]:
    """Replay many verified replies in one fresh engine, which packs them into the same decodes.

    One engine, one model: what is weighed together is weighed with that model's thresholds.

    Returns:
        For each what was found, or why it could not be replayed.

    Raises:
        ConfigurationError: the model can't be used.
    """
    from adapters.files.calibrations import load_calibration

    models = {verified.manifest.model.gguf: verified.manifest.model.name for verified in receipts}
    if model_path is None and len(models) > 1:
        return [_different(models)] * len(receipts)
    stored = ModelSettings(store=store)
    path = model_path or find_stored(stored, receipts[0].manifest.model.gguf)
    model = await check_model(ModelSettings(path="" if path is None else str(path)), progress)
    digest = model.terms.gguf
    calibration = await asyncio.to_thread(
        load_calibration, model.path, digest=digest, default=STARTER
    )
    progress("Loading the model", None)
    async with open_engine(model.path, threads=threads) as running:
        places, done = asyncio.Semaphore(MOST_AT_ONCE), itertools.count(1)
        title = "Replaying" if len(receipts) == 1 else f"Replaying {len(receipts)} replies"
        progress(title, None if len(receipts) == 1 else 0.0)

        async def one(verified: VerifiedReceipt) -> Replayed | BotError:
            try:
                async with places:
                    outcome = await replay(verified, engine=running.engine, model_sha256=digest)
            except BotError as error:
                return error
            finally:
                if len(receipts) > 1:
                    progress(title, next(done) / len(receipts))
            finding = assess(verified, outcome, library=running.library, calibration=calibration)
            return Replayed(outcome, finding, calibration, calibration.model == digest)

        return await asyncio.gather(*map(one, receipts))


def _different(models: Mapping[bytes, str]) -> UserError:
    names = ", ".join(f"{printable(name)} ({gguf.hex()[:16]}…)" for gguf, name in models.items())
    return UserError(
        f"These replies were made with different models, {names}: replay those of each model with "
        "a command of its own."
    )


def load_heads(files: Sequence[Path], log: VerifierKey) -> tuple[Checkpoint, ...]:
    """Return the log's heads in bundles that people have kept.

    Raises:
        UserError: a file is no bundle, or its head is not signed by this log's key.
    """
    heads = []
    for file in files:
        try:
            note = open_note(parse_bundle(file.read_bytes()).checkpoint, log)
            heads.append(Checkpoint.parse(note.text))
        except OSError as error:
            raise UserError(f"The bundle {file} can't be read: {error.strerror}.") from error
        except (FormatError, MismatchError, VerificationError) as error:
            raise UserError(f"The bundle {file} has no head of this log: {error}.") from error
    return tuple(heads)


@asynccontextmanager
async def open_audit(data_dir: Path, *, bundles: Sequence[Path] = ()) -> AsyncIterator[Audit]:
    """Open a data folder for reading only; the service may be running on it.

    Args:
        data_dir: of the service.
        bundles: files that fans have kept, beside those in the folder `proofs`; the log must
            contain the heads that they carry.

    Raises:
        ConfigurationError: the folder holds no service's data.
    """
    if not (data_dir / DATABASE).exists() or not (data_dir / KEYS / "log.key").exists():
        raise ConfigurationError(
            f"There is no service's data in {data_dir}: name its folder with --data."
        )
    keys = ServiceKeys.load(data_dir / KEYS, fresh=False)
    kept = [*sorted((data_dir / PROOFS).glob("*.json")), *bundles]
    seen = await asyncio.to_thread(load_heads, kept, keys.log_verifier)
    async with (
        open_stores(data_dir, read_only=True) as stores,
        open_chain_snapshot(data_dir) as chain,
    ):
        yield Audit(
            reader=stores.audit,
            epochs=stores.epochs,
            chain=chain,
            log=keys.log_verifier,
            signing_key=public_key_of(keys.receipts),
            seen=seen,
            chain_lost=chain is None,
        )
