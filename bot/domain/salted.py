"""The salted fields of a receipt as the service makes them: every value is encoded once.

Byte for byte what `encode_canonical` and `fields_root` make of the same values, which is how a
verifier computes them. Nearly all of it are token ids, so those are spelled from a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.crypto.canonical import encode_canonical
from bot.crypto.errors import FormatError
from bot.crypto.merkle import leaf_hash, root_of
from bot.crypto.sealing import derive_salt
from bot.domain.field_values import field_leaf, fields_to_json
from bot.domain.fields import Fields, Span
from bot.domain.reading import MAX_TOKEN_ID

REMEMBERED = 32_768


@dataclass(frozen=True, slots=True)
class SaltedField:
    """One field: its salt of 16 bytes and its value's canonical bytes."""

    name: str
    salt: bytes
    value: bytes


def salt_fields(key: bytes, fields: Fields) -> tuple[SaltedField, ...]:
    """Encode the fields in their order, with their salts under an opening key (32 bytes)."""
    short = fields_to_json(replace(fields, spans=(), context=(), output=()))
    values = {name: encode_canonical(value) for name, value in short.items()}
    values["spans"] = f"[{','.join(map(_spell_span, fields.spans))}]".encode()
    for name, tokens in (("context", fields.context), ("output", fields.output)):
        values[name] = f'{{"tokens":{spell_tokens(tokens)}}}'.encode()
    return tuple(SaltedField(name, derive_salt(key, name), values[name]) for name in values)


def root_of_salted(fields: Sequence[SaltedField]) -> bytes:
    """Return the root over salted fields."""
    return root_of([leaf_hash(field_leaf(one.name, one.salt, one.value)) for one in fields])


def spell_tokens(tokens: Sequence[int]) -> str:
    """Return token ids as a canonical JSON array.

    Raises:
        FormatError: one of them is none.
    """
    return f"[{','.join(map(_SPELLED.__getitem__, tokens))}]"


def _spell_span(span: Span) -> str:
    receipt = "null" if span.receipt is None else f'"{span.receipt.hex()}"'
    return f'{{"kind":"{span.kind}","receipt":{receipt},"tokens":{spell_tokens(span.tokens)}}}'


class _Spellings(dict[int, str]):
    """The spellings of the token ids that were last seen, at most `REMEMBERED`."""

    def __missing__(self, token: int) -> str:
        if type(token) is not int or not 0 <= token <= MAX_TOKEN_ID:
            raise FormatError(f"{token!r} is no token id")
        if len(self) >= REMEMBERED:
            self.clear()
        text = self[token] = str(token)
        return text


_SPELLED = _Spellings()
