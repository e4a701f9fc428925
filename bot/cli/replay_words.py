"""What a replay found, in words and as JSON values."""

from bot.cli import printing
from bot.cli.proofs import EXACT, TOLERANT, describe
from bot.generation.verdict import Evidence, Verdict, excluded
from bot.receipts.verify import VerifiedReceipt
from bot.twins.replay import Finding
from bot.wiring.offline import Replayed

STYLES = {
    Verdict.EXACT: "green",
    Verdict.CONSISTENT: "green",
    Verdict.UNDECIDED: "yellow",
    Verdict.INCONSISTENT: "red",
}


def sentence_of(finding: Finding) -> str:
    """Return what a replay showed, as the last word on it."""
    if finding.verdict is Verdict.EXACT:
        return f"The reply is the same, bit for bit: {EXACT}, replayed by you."
    return f"The reply is consistent with the model: {TOLERANT}, replayed by you. {finding.reason}."


def describe_one(verified: VerifiedReceipt, source: str, found: Replayed) -> dict[str, object]:
    """Return a verified and replayed reply as JSON values."""
    described = describe(verified, source)
    described["unproved"] = printing.unproved_after(verified, replayed=found.outcome.exact)
    described["replay"] = describe_replay(found)
    return described


def describe_replay(found: Replayed) -> dict[str, object]:
    """Return a replay as JSON values."""
    outcome, finding = found.outcome, found.finding
    return {
        "exact": outcome.exact,
        "verdict": finding.verdict.value,
        "reason": finding.reason,
        "tokens": len(outcome.tokens),
        "same": sum(token.same for token in outcome.tokens),
        "largest_margin": max((token.margin for token in outcome.tokens), default=0.0),
        "tokenisation_same": outcome.tokenisation_same,
        "text_same": outcome.text_same and outcome.finish_same,
        "rejected_attempts_same": outcome.redrawn_same,
        "engine_exact": outcome.engine_exact,
        "weighed": finding.evidence and describe_evidence(finding.evidence, found),
    }


def describe_evidence(evidence: Evidence, found: Replayed) -> dict[str, object]:
    """Return what tokens weigh together, as JSON values."""
    calibration = found.calibration
    return {
        "tokens": evidence.tokens,
        "differing": evidence.differing,
        "log_likelihood_ratios": {
            other.name: round(total, 3)
            for other, total in zip(calibration.others, evidence.sums, strict=True)
        },
        "ruled_out": list(excluded(evidence, calibration)),
        "thresholds_of": calibration.model.hex(),
        "thresholds_are_this_models": found.own_thresholds,
        "false_alarm": calibration.false_alarm,
        "miss": calibration.miss,
    }


def thresholds_words(found: Replayed) -> str:
    """Say whose thresholds were applied, and how often they err; empty where none were."""
    if found.finding.evidence is None:
        return ""
    calibration = found.calibration
    whose = "this model" if found.own_thresholds else "another model, as none were made for this"
    return (
        f"The tokens were weighed with the thresholds of {whose}: an honest reply is to be called "
        f"inconsistent in at most {calibration.false_alarm:.1%} of cases."
    )
