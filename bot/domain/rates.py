"""Rate tables: what the operator gives for what a fan pays on a platform (formats.md 8.3)."""

import re
from dataclasses import dataclass
from typing import Self

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.dsse import Envelope, verify_envelope
from bot.crypto.errors import FormatError
from bot.domain.manifest import parse_symbol
from bot.domain.reading import ObjectReader
from bot.domain.terms import HASH_BYTES

RATES_TYPE = "application/vnd.twinproof.rates+json"
RATES_VERSION = "twinproof-rates/1"
STAR = "telegram-star"
MAX_HELD_HOURS = 8_760
MAX_RATES = 64
_UNIT = re.compile(r"telegram-star|discord-sku:[1-9][0-9]{0,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """What one of a unit is worth: one Star, or one purchase of an SKU."""

    unit: str
    nano: int


@dataclass(frozen=True, slots=True)
class RateTable:
    """A table of rates; the operator's newest one in the log is in force.

    Attributes:
        operator: Ed25519 public key that signs it.
        number: counts the operator's tables from 1 without holes.
        token: symbol of the settlement token.
        held_hours: how long a fee that bought credit has paid stays held.
        rates: by unit, ascending.
    """

    operator: bytes
    number: int
    token: str
    held_hours: int
    rates: tuple[Rate, ...]

    def encode(self) -> bytes:
        """Encode as canonical JSON: the payload of a DSSE envelope of `RATES_TYPE`.

        Raises:
            FormatError: a value is outside the limits of the format.
        """
        rates: list[JsonValue] = [{"unit": one.unit, "nano": one.nano} for one in self.rates]
        data = encode_canonical(
            {
                "v": RATES_VERSION,
                "operator": self.operator.hex(),
                "number": self.number,
                "token": self.token,
                "held_hours": self.held_hours,
                "rates": rates,
            }
        )
        self.parse(data)
        return data

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse canonical JSON.

        Raises:
            FormatError: the bytes are not a rate table of version 1, or a unit stands twice or out
                of order.
        """
        keys = "v operator number token held_hours rates"
        reader = ObjectReader(parse_canonical(data), "rates", keys)
        reader.constant("v", RATES_VERSION)
        table = cls(
            operator=reader.hex("operator", HASH_BYTES),
            number=reader.integer("number", minimum=1),
            token=reader.convert("token", parse_symbol),
            held_hours=reader.integer("held_hours", maximum=MAX_HELD_HOURS),
            rates=reader.items("rates", _read_rate),
        )
        if len(table.rates) > MAX_RATES:
            raise FormatError(f"rates.rates: more than {MAX_RATES}")
        units = [one.unit for one in table.rates]
        if units != sorted(set(units)):
            raise FormatError("rates.rates: a unit stands twice, or not in ascending order")
        return table


def open_rates(envelope: Envelope) -> RateTable:
    """Return the table of an envelope that its operator has signed.

    Raises:
        FormatError: there is no table in it.
        MismatchError: another key signed it, or as something else.
    """
    table = RateTable.parse(envelope.payload)
    verify_envelope(envelope, payload_type=RATES_TYPE, key=table.operator)
    return table


def _read_rate(value: JsonValue, path: str) -> Rate:
    reader = ObjectReader(value, path, "unit nano")
    return Rate(unit=reader.convert("unit", _parse_unit), nano=reader.integer("nano", minimum=1))


def _parse_unit(text: str) -> str:
    if not _UNIT.fullmatch(text):
        raise FormatError("not telegram-star, and not discord-sku: and a number")
    return text
