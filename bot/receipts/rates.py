"""The operator's rate tables: signed, logged, kept in one transaction (formats.md section 8.3)."""

from collections.abc import Mapping

from bot.crypto.dsse import encode_envelope, parse_envelope, sign_envelope
from bot.crypto.ed25519 import public_key_of
from bot.domain.leaf import RatesLeaf
from bot.domain.rates import RATES_TYPE, Rate, RateTable, open_rates
from bot.ports.book import StoredRates
from bot.ports.stores import StoreTransaction
from bot.receipts.log import append_leaf


async def publish_rates(
    tx: StoreTransaction,
    signing_key: bytes,
    *,
    token: str,
    held_hours: int,
    rates: Mapping[str, int],
) -> bytes:
    """Put a table in force unless the newest one says the same; return the name of that in force.

    Leaf and statement are written in the caller's transaction: after a crash both are there or
    neither, and calling again publishes nothing twice.

    Args:
        tx: a writing transaction.
        signing_key: the operator's Ed25519 private key.
        token: symbol of the settlement token.
        held_hours: how long a platform can take money back.
        rates: nano-units of one of a unit.

    Raises:
        FormatError: a value is outside the limits of the format.
    """
    operator = public_key_of(signing_key)
    listed = tuple(Rate(unit, rates[unit]) for unit in sorted(rates))
    known = await read_rates(tx)
    own = [table for _, table in known if table.operator == operator]
    table = RateTable(operator, len(own) + 1, token, held_hours, listed)
    if known:
        name, newest = known[-1]
        if (newest.operator, newest.token) == (operator, token) and (
            newest.held_hours,
            newest.rates,
        ) == (held_hours, listed):
            return name
    envelope = sign_envelope(RATES_TYPE, table.encode(), signing_key)
    index = await append_leaf(tx, RatesLeaf(envelope.digest).encode())
    await tx.add_rates(StoredRates(index, envelope.digest, encode_envelope(envelope)))
    return envelope.digest


async def read_rates(tx: StoreTransaction) -> list[tuple[bytes, RateTable]]:
    """Return every table with its name, oldest first; the last one is in force.

    Raises:
        FormatError: a kept envelope can't be read.
        MismatchError: a kept envelope is not signed by its operator.
    """
    return [
        (stored.name, open_rates(parse_envelope(stored.envelope)))
        for stored in await tx.rate_tables()
    ]
