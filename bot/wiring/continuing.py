"""Continues a log whose database was lost: seals it, and lets another one go on (formats.md 8.1).

What is true after a crash:
```
before the key           nothing has changed
the new key is on disk   nothing has changed: a key without a seal in the book signs nothing, and
                         the next try uses it
the transaction          seal statement and seal leaf are there together: the new log goes on
```
The sealed log's key signs the seal and nothing after it.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bot.config import Settings
from bot.crypto.dsse import encode_envelope, parse_envelope, sign_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, VerifierKey
from bot.domain.errors import TransientError, UserError
from bot.domain.leaf import SealLeaf
from bot.domain.statements import SEAL_TYPE, SealStatement
from bot.ports.stores import Store
from bot.ports.transparency import WitnessPeer
from bot.receipts.log import append_leaf
from bot.transparency.growth import parse_head
from bot.transparency.lineage import MAX_SEALS, check_seals
from bot.wiring.keys import ServiceKeys, default_origin, successor_key
from bot.wiring.own_log import open_peers
from bot.wiring.settlement import open_chain_to_read
from bot.wiring.stores import DATABASE, Stores, open_stores

KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Known:
    """A head of the log that somebody knows."""

    head: Checkpoint
    source: str


@dataclass(frozen=True, slots=True)
class Continuation:
    """How a log is continued.

    Attributes:
        log: the log that is sealed.
        here: leaves in the database, all of which the successor keeps.
        known: the largest head that anybody knows.
        silent: witnesses and chains that could not be asked, each with the reason.
        successor: the log that goes on; None before its key is made.
        index: of the seal's leaf; None before it is there.
    """

    log: VerifierKey
    here: int
    known: Known
    silent: tuple[str, ...]
    successor: VerifierKey | None = None
    index: int | None = None

    @property
    def lost(self) -> int:
        """How many leaves are gone."""
        return self.known.head.size - self.here


async def continue_log(
    settings: Settings, *, origin: str, notes: Sequence[str], dry_run: bool
) -> Continuation:
    """Seal the service's log and let another one go on; with `dry_run` only say how.

    Args:
        settings: which data folder and which witnesses.
        origin: name of the new log; empty for one made of its key.
        notes: signed heads of the log that the operator has.
        dry_run: change nothing.

    Raises:
        UserError: nothing is lost, or the largest head is not known.
        ConfigurationError: the service runs, or its folder can't be used.
    """
    from adapters.files.data_folder import DataFolder
    from adapters.files.keyring import Keyring

    folder = settings.service.data_dir
    if not (folder / DATABASE).exists():
        raise UserError(f"There is no database in {folder}: nothing can be continued.")
    async with AsyncExitStack() as stack:
        claimed = DataFolder.claim(folder)
        stack.callback(claimed.release)
        stores = await stack.enter_async_context(open_stores(folder))
        store = stores.replies
        async with store.reading() as tx:
            seals, here = list(await tx.seals()), await tx.log_size()
        if len(seals) >= MAX_SEALS:
            raise UserError(f"A log can be continued {MAX_SEALS} times, and was: begin a new one.")
        keys = ServiceKeys.load(folder / KEYS, fresh=False).with_log(folder / KEYS, seals)
        peers = await stack.enter_async_context(open_peers(settings.log))
        known, silent = await _ask(keys.log_verifier, peers, notes)
        told = await _ask_chain(settings, stores, keys.log_verifier, seals)
        known += [told] if isinstance(told, Known) else []
        silent += [told] if isinstance(told, str) else []
        plan = _plan(keys.log_verifier, here, known, silent)
        if dry_run:
            return plan
        private = Keyring(folder / KEYS).load_or_create(successor_key(len(seals) + 1))
        successor = _name(origin, public_key_of(private), keys.log_verifier)
        return await _seal(store, keys, plan, successor)


def _plan(
    log: VerifierKey, here: int, known: Sequence[Known], silent: Sequence[str]
) -> Continuation:
    largest = max(known, key=lambda one: one.head.size, default=None)
    if largest is None or largest.head.size <= here:
        raise UserError(
            f"The log {log.name} has {here} leaves here, and nobody who could be asked knows more: "
            "it needs no successor. If you have a larger head of it, signed by it, give it with "
            "--head FILE."
        )
    return Continuation(log, here, largest, tuple(silent))


async def _ask(
    log: VerifierKey, peers: Sequence[WitnessPeer], notes: Sequence[str]
) -> tuple[list[Known], list[str]]:
    """Return the heads that the operator and the witnesses know, and who says nothing."""
    known, silent = [], []
    for note in notes:
        try:
            known.append(Known(parse_head(note, log), "the head that you gave"))
        except (FormatError, MismatchError) as error:
            raise UserError(f"A head that you gave is not one of this log: {error}.") from error
    for peer in peers:
        name = peer.key.name
        try:
            told = await peer.head(log.name)
            if told is None:
                silent.append(f"{name} knows no head of this log, or does not tell")
            else:
                known.append(Known(parse_head(told, log), f"the witness {name}"))
        except TransientError as error:
            silent.append(f"{error}")
        except (FormatError, MismatchError) as error:
            silent.append(f"{name} gave something false: {error}")
    return known, silent


async def _ask_chain(
    settings: Settings, stores: Stores, log: VerifierKey, seals: Sequence[bytes]
) -> Known | str | None:
    """Return the head that the chain names; None where it names none of this log.

    Raises:
        ConfigurationError: the book is settled on a real chain, and the configuration names none.
    """
    folder = settings.service.data_dir
    async with open_chain_to_read(settings.settlement, folder, stores) as read:
        if read.chain is None:
            return None
        try:
            said = (await read.chain.contract()).commitment
        except TransientError as error:
            return f"the chain does not answer: {error}"
    before = [SealStatement.parse(parse_envelope(one).payload) for one in seals]
    if not said.log_size or any(one.gave_up(said.log_size, said.log_root) for one in before):
        return None
    head = Checkpoint(log.name, said.log_size, said.log_root)
    return Known(head, f"epoch {said.epoch} on the chain")


def _name(origin: str, public: bytes, before: VerifierKey) -> VerifierKey:
    try:
        named = VerifierKey(origin or default_origin(public), public)
    except FormatError as error:
        raise UserError(f"The new log can't have this name: {error}.") from error
    if named.name == before.name:
        raise UserError("The new log needs another name than the one that is sealed.")
    return named


async def _seal(
    store: Store, keys: ServiceKeys, plan: Continuation, successor: VerifierKey
) -> Continuation:
    """Write the seal and its leaf: the one commit point."""
    head = plan.known.head
    statement = SealStatement(plan.log, head.size, head.root, plan.here, successor)
    envelope = sign_envelope(SEAL_TYPE, statement.encode(), keys.log)
    async with store.transaction() as tx:
        before = [parse_envelope(one) for one in await tx.seals()]
        check_seals([*before, envelope])
        index = await append_leaf(tx, SealLeaf(envelope.digest).encode())
        await tx.add_seal(index, encode_envelope(envelope))
    return Continuation(plan.log, plan.here, plan.known, plan.silent, successor, index)
