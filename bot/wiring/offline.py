"""What an outsider does: fetch or open a bundle, replay it, audit a data folder."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.audit.run import Audit
from bot.config import ModelSettings, SettlementSettings
from bot.crypto.dsse import parse_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, open_note
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
from bot.transparency.lineage import Lineage, check_seals
from bot.twins.replay import Finding, assess, replay
from bot.wiring.app import KEYS, PROOFS
from bot.wiring.engine import STARTER, Progress, check_model, open_engine
from bot.wiring.funding import treasury_funds
from bot.wiring.keys import ServiceKeys
from bot.wiring.models import find_stored
from bot.wiring.settlement import open_chain_to_read
from bot.wiring.stores import DATABASE, Stores, open_stores

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
        library: name and version of the library that replayed.
    """

    outcome: ReplayOutcome
    finding: Finding
    calibration: Calibration
    own_thresholds: bool
    library: str = ""


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
            own = calibration.model == digest
            return Replayed(outcome, finding, calibration, own, running.library)

        return await asyncio.gather(*map(one, receipts))


def _different(models: Mapping[bytes, str]) -> UserError:
    names = ", ".join(f"{printable(name)} ({gguf.hex()[:16]}…)" for gguf, name in models.items())
    return UserError(
        f"These replies were made with different models, {names}: replay those of each model with "
        "a command of its own."
    )


def load_heads(files: Sequence[Path], lineage: Lineage) -> tuple[Checkpoint, ...]:
    """Return the heads in bundles that people have kept, of the log or of one that it continues.

    Raises:
        UserError: a file is no bundle, or its head is not signed by any of these logs.
    """
    logs = {seal.statement.log.name: seal.statement.log for seal in lineage.seals}
    heads = []
    for file in files:
        try:
            signed = parse_bundle(file.read_bytes()).checkpoint
            note = open_note(signed, logs.get(signed.partition("\n")[0], lineage.log))
            heads.append(Checkpoint.parse(note.text))
        except OSError as error:
            raise UserError(f"The bundle {file} can't be read: {error.strerror}.") from error
        except (FormatError, MismatchError, VerificationError) as error:
            raise UserError(f"The bundle {file} has no head of this log: {error}.") from error
    return tuple(heads)


@asynccontextmanager
async def open_audit(
    data_dir: Path,
    *,
    bundles: Sequence[Path] = (),
    settlement: SettlementSettings | None = None,
) -> AsyncIterator[Audit]:
    """Open a data folder for reading only; the service may be running on it.

    Args:
        data_dir: of the service.
        bundles: files that fans have kept, beside those in the folder `proofs`; the log must
            contain the heads that they carry.
        settlement: which real chain the book is settled on, if it is one.

    Raises:
        ConfigurationError: the folder holds no service's data, or its chain is not named.
    """
    from adapters.host.system import SystemClock

    if not (data_dir / DATABASE).exists() or not (data_dir / KEYS / "log.key").exists():
        raise ConfigurationError(
            f"There is no service's data in {data_dir}: name its folder with --data."
        )
    keys = ServiceKeys.load(data_dir / KEYS, fresh=False)
    kept = [*sorted((data_dir / PROOFS).glob("*.json")), *bundles]
    async with (
        open_stores(data_dir, read_only=True) as stores,
        open_chain_to_read(settlement or SettlementSettings(), data_dir, stores) as read,
    ):
        lineage = await _follow_seals(keys, data_dir / KEYS, stores)
        seen = await asyncio.to_thread(load_heads, kept, lineage)
        yield Audit(
            reader=stores.audit,
            epochs=stores.epochs,
            chain=read.chain,
            log=lineage.log,
            signing_key=public_key_of(keys.receipts),
            seen=seen,
            chain_lost=read.chain is None,
            payouts_stay=read.payouts_stay,
            fees=stores.fees,
            funds=None if settlement is None else treasury_funds(settlement),
            clock=SystemClock(),
        )


async def _follow_seals(keys: ServiceKeys, folder: Path, stores: Stores) -> Lineage:
    """Return the present log, whose key is here, and those that it continues.

    Seals that are not true are left to the audit, which names them.

    Raises:
        ConfigurationError: the key of the log that the seals lead to is missing, or another one.
    """
    async with stores.replies.reading() as tx:
        envelopes = list(await tx.seals())
    try:
        seals = check_seals([parse_envelope(one) for one in envelopes])
    except (FormatError, MismatchError):
        return Lineage(keys.log_verifier)
    return Lineage(keys.with_log(folder, envelopes).log_verifier, seals)
