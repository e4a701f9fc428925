"""Vectors of who vouches for a log: witnesses, and the seals of logs that are no more."""

from collections.abc import Callable
from dataclasses import replace

from bot.crypto import dsse
from bot.crypto.cosignature import cosign
from bot.crypto.ed25519 import public_key_of
from bot.crypto.encoding import encode_b64, parse_b64
from bot.crypto.signed_note import Checkpoint, VerifierKey, sign_note
from bot.crypto.tlog_proof import MAX_SIGNATURE_LINES
from bot.domain.leaf import SealLeaf
from bot.domain.statements import SEAL_TYPE, SealStatement
from bot.receipts.bundle import ProofBundle, encode_bundle
from scripts.vector_file import WITNESSED, Vector, expected
from scripts.vector_log import cosignature, fixed_key, witness_of
from scripts.vector_parts import (
    LOG,
    LOG_KEY,
    ORIGIN,
    POLICY,
    REPLY_INDEX,
    Parts,
    Recipe,
    make_bundle,
)

NAMES = ("witness-1.example", "witness-2.example", "witness-3.example")
STRANGER = "witness-4.example"
NEXT, LAST = "log.twinproof.example/second", "log.twinproof.example/third"
SEAL_INDEX = 2
Text = Callable[[str], str]


def trust_vectors() -> list[Vector]:
    """Build every vector of this module."""
    return [
        *_witnesses(),
        *_bad_proofs(),
        *_seals(),
        *_bad_seals(),
    ]


def _witnesses() -> list[Vector]:
    two = Recipe(witnesses=NAMES[:2])
    most = Recipe(lines=_many_lines(MAX_SIGNATURE_LINES - 1))
    text = text_of(make_bundle(two))
    third = cosign(text, NAMES[2], fixed_key("somebody else"), 1).line
    forged = _line_of(NAMES[2], third)
    return [
        good("witnessed", "two of three witnesses have cosigned, and two are needed", two,
              _policy(needed=2), WITNESSED),
        good("witnessed-more", "a witness that nobody named has cosigned, too",
              replace(two, witnesses=(*NAMES[:2], STRANGER)), _policy(needed=2), WITNESSED),
        good("witnesses-not-needed", "the policy names witnesses and asks for none", two,
              _policy(needed=0)),
        good("foreign-lines", "fifteen lines of keys that nobody named", most, POLICY),
        bad(10, "too-few-witnesses", "two have cosigned, and three are needed", two,
             _policy(needed=3)),
        bad(10, "other-witnesses", "only witnesses that nobody named have cosigned",
             replace(two, witnesses=(STRANGER,)), _policy(needed=1)),
        bad(8, "false-cosignature", "a line of a named witness that it has not signed",
             replace(two, lines=forged), _policy(needed=2)),
        bad(8, "cosigned-twice", "two true lines of one witness",
             replace(two, lines=cosignature(text, NAMES[0], 1)), _policy(needed=1)),
        bad(8, "cosignature-short", "a line of a named witness that is too short",
             replace(two, lines=_line_of(NAMES[2], third, cut=8)), _policy(needed=2)),
        bad(8, "seventeen-lines", "more signature lines than a checkpoint may have",
             Recipe(lines=_many_lines(MAX_SIGNATURE_LINES)), POLICY),
    ]  # fmt: skip


def _bad_proofs() -> list[Vector]:
    """Log proofs that no encoder writes."""
    changes: list[tuple[str, str, Text]] = [
        ("proof-header", "a log proof of another version",
         lambda text: text.replace("@v1", "@v2", 1)),
        ("proof-extra", "a log proof with extra data",
         lambda text: text.replace("\n", "\nextra aGk=\n", 1)),
        ("proof-index-zero", "an index with a leading zero",
         lambda text: text.replace("index ", "index 0", 1)),
        ("proof-index-size", "an index of 2^53",
         lambda text: text.replace(f"index {REPLY_INDEX}", f"index {2**53}", 1)),
        ("proof-hash-bits", "a hash whose unused bits are not zero", _with_unused_bits),
        ("proof-end", "no line break at its end", lambda text: text[:-1]),
        ("proof-blank", "an empty line too many",
         lambda text: text.replace("\n\n", "\n\n\n", 1)),
        ("proof-carriage", "lines that end as on Windows",
         lambda text: text.replace("\n", "\r\n")),
        ("proof-hashes", "sixty-four hashes",
         lambda text: text.replace("\n\n", "\n" + ("A" * 43 + "=\n") * 64 + "\n", 1)),
    ]  # fmt: skip
    good = make_bundle(Recipe())
    vectors = []
    for name, about, change in changes:
        place = replace(good.log, proof=change(good.log.proof))
        vectors.append(refused(8, name, about, replace(good, log=place), POLICY))
    return vectors


def _seals() -> list[Vector]:
    one, two = sealed_once(), sealed_twice()
    new_log = {**POLICY, "logs": [key_of(NEXT).encode()]}
    return [
        good("sealed-log", "the log was sealed, and another one continues it", one, POLICY),
        good("sealed-log-new", "the policy names the log that continues", one, new_log),
        good("sealed-twice", "and that one was sealed, too", two, POLICY),
        good("sealed-kept", "the reply is among the leaves that were kept",
              sealed_once(kept=REPLY_INDEX + 1), POLICY),
        bad(10, "sealed-other", "the policy names neither of the logs", one,
             {**POLICY, "logs": [key_of(LAST).encode()]}),
    ]  # fmt: skip


def _bad_seals() -> list[Vector]:
    one = sealed_once()
    stranger = _seal(ORIGIN, NEXT, key=fixed_key("somebody else"))
    elsewhere = _seal(LAST, NEXT)
    back = _seal(NEXT, ORIGIN)
    same_key = replace(_statement(ORIGIN, NEXT), successor=VerifierKey(NEXT, LOG.public_key))
    more = replace(_statement(ORIGIN, NEXT), kept=8)
    twice = sealed_twice()
    return [
        bad(8, "unsealed", "the checkpoint is of another log, and no seal leads to it",
             replace(one, seals=()), POLICY),
        bad(8, "seal-signature", "the seal is not signed by the log that it seals",
             replace(one, seals=(stranger,)), POLICY),
        bad(8, "seal-elsewhere", "the seal is of a log that the manifest does not name",
             replace(one, seals=(elsewhere,)), POLICY),
        bad(8, "seal-order", "the seals stand newest first",
             replace(twice, seals=twice.seals[::-1]), POLICY),
        bad(8, "seal-back", "the seals lead back to the first log",
             Recipe(seals=(*one.seals, back)), POLICY),
        bad(8, "seal-same-key", "the log that continues has the key of the sealed one",
             replace(one, log_key=LOG_KEY, seals=(_sign_seal(same_key, LOG_KEY),)), POLICY),
        bad(8, "seal-kept", "more leaves were kept than there were",
             replace(one, seals=(_sign_seal(more, LOG_KEY),)), POLICY),
        bad(8, "sealed-still-signs", "the sealed log signed the checkpoint",
             replace(one, log=ORIGIN, log_key=LOG_KEY), POLICY),
        bad(8, "seal-place", "the reply stands where the seal has to stand",
             replace(one, seals=sealed_once(kept=REPLY_INDEX).seals), POLICY),
        bad(8, "seal-type", "a seal that was signed as something else",
             replace(one, seals=(dsse.sign_envelope(
                 "application/vnd.twinproof.outcome+json", one.seals[0].payload, LOG_KEY),)),
             POLICY),
    ]  # fmt: skip


def good(
    name: str, about: str, recipe: Recipe, policy: Parts, levels: list[str] | None = None
) -> Vector:
    """Return a vector of a bundle that verifies."""
    data = encode_bundle(make_bundle(recipe))
    return Vector(f"good-{name}", about, data, expected(policy, levels=levels), policy=policy)


def bad(step: int, name: str, about: str, recipe: Recipe, policy: Parts) -> Vector:
    """Return a vector of a bundle that a recipe makes and that fails at a step."""
    return refused(step, name, about, make_bundle(recipe), policy)


def refused(step: int, name: str, about: str, bundle: ProofBundle, policy: Parts) -> Vector:
    """Return a vector of a bundle that fails at a step."""
    data = encode_bundle(bundle)
    return Vector(f"bad-{step:02d}-{name}", about, data, {"step": step}, policy=policy)


def _policy(*, needed: int) -> Parts:
    return {**POLICY, "witnesses": [witness_of(name).encode() for name in NAMES], "needed": needed}


def key_of(log: str) -> VerifierKey:
    """Return the key of one of the three logs."""
    return LOG if log == ORIGIN else VerifierKey(log, public_key_of(fixed_key(log)))


def _private(log: str) -> bytes:
    return LOG_KEY if log == ORIGIN else fixed_key(log)


def _statement(log: str, successor: str, *, kept: int = SEAL_INDEX) -> SealStatement:
    root = fixed_key(f"root of {log}")
    return SealStatement(key_of(log), size=7, root=root, kept=kept, successor=key_of(successor))


def _sign_seal(statement: SealStatement, key: bytes) -> dsse.Envelope:
    return dsse.sign_envelope(SEAL_TYPE, statement.encode(), key)


def _seal(
    log: str, successor: str, *, kept: int = SEAL_INDEX, key: bytes | None = None
) -> dsse.Envelope:
    return _sign_seal(_statement(log, successor, kept=kept), key or _private(log))


def sealed_once(*, kept: int = SEAL_INDEX) -> Recipe:
    """Continue the log by another one, which keeps its first leaves."""
    seal = _seal(ORIGIN, NEXT, kept=kept)
    return Recipe(
        log=NEXT,
        log_key=_private(NEXT),
        seals=(seal,),
        other_leaves={kept: SealLeaf(seal.digest).encode()},
    )


def sealed_twice() -> Recipe:
    """Continue that one, too."""
    first, second = _seal(ORIGIN, NEXT, kept=1), _seal(NEXT, LAST)
    return Recipe(
        log=LAST,
        log_key=_private(LAST),
        seals=(first, second),
        other_leaves={
            1: SealLeaf(first.digest).encode(),
            SEAL_INDEX: SealLeaf(second.digest).encode(),
        },
    )


def text_of(bundle: ProofBundle) -> str:
    """Return what is signed of a bundle's checkpoint."""
    return bundle.checkpoint.partition("\n\n")[0] + "\n"


def _line_of(name: str, line: str, *, cut: int = 0) -> str:
    """Put a signature into a line of another key; with `cut`, without its last bytes."""
    data = parse_b64(line.split(" ")[2].strip())
    end = len(data) - cut
    return f"\u2014 {name} {encode_b64(witness_of(name).key_hash + data[4:end])}\n"


def _many_lines(count: int) -> str:
    """Sign something with keys that nobody knows."""
    text = Checkpoint("log.example/elsewhere", 1, bytes(32)).encode()
    notes = (
        sign_note(text, f"k{number}.example", fixed_key(str(number))) for number in range(count)
    )
    return "".join(note.rpartition("\n\n")[2] for note in notes)


def _with_unused_bits(text: str) -> str:
    """Give the first hash another last character that decodes to the same bytes."""
    at = text.index("=\n")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[: at - 1] + alphabet[alphabet.index(text[at - 1]) + 1] + text[at:]
