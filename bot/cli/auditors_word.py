"""`verify --policy`: what the auditors whom the policy names say of a reply (level L4)."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from bot.cli import printing
from bot.domain.errors import TransientError, UserError, VerificationError
from bot.domain.printable import printable
from bot.domain.statements import AuditVerdict
from bot.receipts.audited import MAX_BYTES, AuditorsWord, check_verdicts
from bot.receipts.link import ProofLink
from bot.receipts.trust import TrustPolicy
from bot.receipts.verified import VerifiedReceipt
from bot.wiring.auditing import fetch_verdicts_of

FALSE = 1


@dataclass(frozen=True, slots=True)
class AuditorsAnswer:
    """What came of asking.

    Attributes:
        level: `L4`, or None.
        sentence: for the person.
        code: the command's exit code.
        words: the true verdicts of the auditors whom the policy names.
    """

    level: str | None
    sentence: str
    code: int = 0
    words: tuple[AuditorsWord, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "level": self.level,
            "sentence": self.sentence,
            "verdicts": [
                {
                    "auditor": word.auditor.hex(),
                    "verdict": word.verdict.word,
                    "share": word.sample.share,
                    "size": word.sample.size,
                }
                for word in self.words
            ],
        }


async def ask_auditors(
    link: ProofLink, verified: VerifiedReceipt, policy: TrustPolicy | None, file: Path | None
) -> AuditorsAnswer | None:
    """Look for verdicts on a reply, in a file or where its link leads.

    A host that does not answer takes nothing away from what was verified here.

    Returns:
        None where the policy names no auditor, or there is nowhere to look.

    Raises:
        UserError: the file can't be read, or there is no auditor to whom it could matter.
    """
    if policy is None or not policy.auditors:
        if file is not None:
            raise UserError("--verdicts needs a trust policy that names auditors: give --policy.")
        return None
    if file is None and not link.is_remote:
        return None
    try:
        data = await (fetch_verdicts_of(link) if file is None else asyncio.to_thread(_read, file))
    except TransientError as error:
        return AuditorsAnswer(None, f"Your auditors' verdicts are unknown. {error}")
    if data is None:
        return AuditorsAnswer(None, "The host of this link serves no verdicts.")
    return _judge(data, verified, policy)


def _judge(data: bytes, verified: VerifiedReceipt, policy: TrustPolicy) -> AuditorsAnswer:
    try:
        audited = check_verdicts(data, verified, policy.auditors)
    except VerificationError as error:
        sentence = f"The verdicts that were served are false: {error.reason}."
        return AuditorsAnswer(None, sentence, FALSE)
    if not audited.words:
        return AuditorsAnswer(None, "None of your auditors has a verdict on this reply.")
    sentence = " ".join(map(_sentence, audited.words))
    code = FALSE if audited.is_contradicted else 0
    return AuditorsAnswer(audited.level, sentence, code, audited.words)


def print_auditors(answer: AuditorsAnswer) -> None:
    """Print what auditors say."""
    level = "" if answer.level is None else f" ({answer.level})"
    style = "red" if answer.code else None
    line = f"\nAuditors{level}: {printable(answer.sentence)}"
    printing.out.print(line, style=style, markup=False)


def _sentence(word: AuditorsWord) -> str:
    what = {
        AuditVerdict.EXACT: "the same reply, bit for bit",
        AuditVerdict.CONSISTENT: "consistent with the model",
        AuditVerdict.INCONSISTENT: "NOT what the model gives",
        AuditVerdict.UNDECIDED: "undecided",
    }
    return f"Replayed by auditor {word.auditor.hex()}: {what[word.verdict]}."


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"The verdicts {file} can't be read: {error.strerror}.") from error
