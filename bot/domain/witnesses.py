"""How many witnesses must have cosigned a head: n of m, and what a note shows of it.

Pure. Unknown signature lines are ignored, as C2SP asks; a false line by a known witness is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bot.crypto.cosignature import Cosignature, WitnessKey, parse_witness_vkey, read_cosignature
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Note


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What the signature lines of one checkpoint show under a policy.

    Attributes:
        needed: how many witnesses the policy asks for.
        cosignatures: the true ones, one a witness, in the policy's order; of several the latest.
        missing: names of the policy's witnesses that have not cosigned.
        false: one sentence for each line that names a witness's key and is not its signature.
    """

    needed: int
    cosignatures: tuple[Cosignature, ...]
    missing: tuple[str, ...]
    false: tuple[str, ...]

    @property
    def is_met(self) -> bool:
        """Whether enough witnesses have cosigned."""
        return len(self.cosignatures) >= self.needed


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """At least `needed` of these witnesses.

    Raises:
        FormatError: more are needed than there are, or a name or key stands twice: one witness
            under two names would count twice.
    """

    needed: int
    witnesses: tuple[WitnessKey, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.needed <= len(self.witnesses):
            raise FormatError(
                f"{self.needed} witnesses are needed, and {len(self.witnesses)} are named"
            )
        for values in (
            [witness.name for witness in self.witnesses],
            [witness.public_key for witness in self.witnesses],
        ):
            if len(set(values)) != len(values):
                raise FormatError("a witness is named twice")

    @classmethod
    def parse(cls, vkeys: Sequence[str], needed: int | None = None) -> Self:
        """Read a policy from vkeys; all of them are needed unless a number is given.

        Raises:
            FormatError: a vkey is not one of a witness, or the policy is impossible.
        """
        witnesses = tuple(parse_witness_vkey(vkey) for vkey in vkeys)
        return cls(len(witnesses) if needed is None else needed, witnesses)

    def count(self, note: Note) -> Cosigned:
        """Count the witnesses that have cosigned an opened checkpoint.

        The log's own key counts as no witness: nobody can be their own.
        """
        true: list[Cosignature] = []
        missing, false = [], []
        for witness in self.witnesses:
            found, wrong = _read(note, witness)
            false += wrong
            own = witness.public_key == note.key.public_key
            if found is None or own:
                missing.append(witness.name)
            else:
                true.append(found)
        return Cosigned(self.needed, tuple(true), tuple(missing), tuple(false))


def _read(note: Note, witness: WitnessKey) -> tuple[Cosignature | None, list[str]]:
    latest: Cosignature | None = None
    wrong = []
    for line in note.others:
        try:
            found = read_cosignature(note.text, line, witness)
        except (FormatError, MismatchError) as error:
            wrong.append(str(error))
            continue
        if found is not None and (latest is None or found.time > latest.time):
            latest = found
    return latest, wrong
