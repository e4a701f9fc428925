"""What the facts of this machine mean for the operator: one finding each, pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot.domain.ledger import EQUITY, SPONSOR
from bot.domain.money import NANO, format_nano
from bot.ports.checks import DataFolderFacts, Finding, ModelHeader, OpenFile, State

GIB, MIB = 2**30, 2**20
LOW_DISK_BYTES, LEAST_DISK_BYTES = 2 * GIB, 256 * MIB
LATE_S, WRONG_S = 5.0, 60.0
MOSTLY_Q8_0 = 7
LOW_BUDGET = 10
"""A tenth of the sponsorship left is a warning."""
TOKEN_UNITS = 10**6
LOOPBACK = ("localhost", "127.", "0.0.0.0", "[::1]", "::1")  # noqa: S104 - recognised, not opened


def judge_data_folder(path: Path, facts: DataFolderFacts) -> Finding:
    """Say whether the data folder can be used."""
    name = "data folder"
    if not facts.is_writable:
        return Finding(
            name,
            State.FAULT,
            f"{path} can't be written by this account.",
            f"Run chown on {path} for the account that runs Twinproof, or set [service] data_dir.",
        )
    if facts.is_held:
        return Finding(name, State.OK, f"{path} is in use by a running service.")
    begun = "can be used" if facts.exists else "will be made at the first start"
    return Finding(name, State.OK, f"{path} {begun}.")


def judge_disk(facts: DataFolderFacts) -> Finding:
    """Say whether there is room for the book."""
    free = f"{facts.free_bytes / GIB:.1f} GiB free for the book, the log and the chain."
    remedy = "Free some space, or move the data folder to a larger disk."
    if facts.free_bytes < LEAST_DISK_BYTES:
        return Finding("disk", State.FAULT, free, remedy)
    if facts.free_bytes < LOW_DISK_BYTES:
        return Finding("disk", State.WARNING, free, remedy)
    return Finding("disk", State.OK, free)


def judge_keys(open_files: Sequence[OpenFile], folder: Path) -> Finding:
    """Say whether others on this machine can read the keys."""
    if not open_files:
        return Finding("keys", State.OK, "only their owner can read them.")
    first = open_files[0]
    more = f" and {len(open_files) - 1} more" if len(open_files) > 1 else ""
    return Finding(
        "keys",
        State.FAULT,
        f"others may use {first.path} (mode {first.mode}){more}.",
        f"Run chmod -R go-rwx {folder}",
    )


def judge_model(
    name: str, header: ModelHeader, free_bytes: int | None, *, is_pinned: bool
) -> Finding:
    """Say whether a model can be run here, from its header and the memory that is free.

    Args:
        name: as people see it.
        header: what the file says of itself.
        free_bytes: of memory; None where that is not known.
        is_pinned: whether the configuration names the file's hash, which was checked.
    """
    check = "model"
    size = f"needs about {header.needed_bytes / GIB:.1f} GiB of memory"
    what = f"{name}, architecture {header.architecture or 'unknown'}, {size}"
    if not header.has_template:
        return Finding(
            check, State.FAULT, f"{what}; it has no chat template.", "Choose a chat model's GGUF."
        )
    if free_bytes is not None and header.needed_bytes > free_bytes:
        return Finding(
            check,
            State.FAULT,
            f"{what}; {free_bytes / GIB:.1f} GiB are free.",
            "Stop other programs, choose a smaller model, or add memory.",
        )
    if header.weights != MOSTLY_Q8_0:
        return Finding(
            check,
            State.WARNING,
            f"{what}; its weights are not Q8_0, for which exact replay was measured.",
            "Choose the Q8_0 file of this model.",
        )
    if not is_pinned:
        return Finding(
            check,
            State.WARNING,
            f"{what}; any file would be accepted in its place.",
            "Write its SHA-256 into [model] sha256: sha256sum FILE says it.",
        )
    return Finding(check, State.OK, f"{what}; the hash is as expected.")


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """An engine that was started once; `seconds` is how long it took until it could answer."""

    library: str
    remark: str
    is_exact: bool
    seconds: float


def judge_engine(facts: EngineFacts) -> Finding:
    """Say whether replies will replay bit for bit."""
    what = f"{facts.library}, {facts.remark}; started in {facts.seconds:.1f} s"
    if facts.is_exact:
        return Finding("engine", State.OK, f"{what}; the exact profile holds.")
    return Finding(
        "engine",
        State.WARNING,
        f"{what}; the exact profile does not hold here, so receipts will say tolerant.",
        "Run make install, which builds the engine as the exact profile wants it.",
    )


def judge_port(host: str, port: int, *, is_free: bool, is_ours: bool, reason: str = "") -> Finding:
    """Say whether the web pages can be opened."""
    where = f"port {port} on {host}"
    if is_free:
        return Finding("port", State.OK, f"{where} is free.")
    if is_ours:
        return Finding("port", State.OK, f"{where} is held by this service, which answers.")
    return Finding(
        "port",
        State.FAULT,
        reason or f"{where} is held by another program.",
        "Stop that program, or set [service] port to another number.",
    )


def judge_public_address(base_url: str, *, has_platforms: bool, webhook: bool) -> Finding:
    """Say what proof links will look like, and whether others can follow them."""
    links = f"proof links will look like {base_url}/r/…"
    parts = urlsplit(base_url)
    remedy = "Set [service] base_url to your public https address: docs/operators.md says how."
    is_local = (parts.hostname or "").startswith(LOOPBACK)
    if webhook and parts.scheme != "https":
        return Finding(
            "public address",
            State.FAULT,
            f"{links}; Telegram calls webhooks at https addresses only.",
            remedy,
        )
    if has_platforms and is_local:
        return Finding(
            "public address",
            State.WARNING,
            f"{links}, which nobody but this machine can open.",
            remedy,
        )
    if has_platforms and parts.scheme != "https":
        return Finding(
            "public address", State.WARNING, f"{links}, which anybody on the way can read.", remedy
        )
    return Finding("public address", State.OK, f"{links}.")


def judge_clock(skews_s: Sequence[float], why_not: str) -> Finding:
    """Say whether this machine's clock is right, from what platforms say the time is."""
    if not skews_s:
        return Finding("clock", State.SKIPPED, why_not)
    worst = max(skews_s, key=abs)
    direction = "ahead of" if worst > 0 else "behind"
    what = f"it is {abs(worst):.0f} s {direction} the platforms' clocks."
    remedy = "Switch time synchronisation on: timedatectl set-ntp true"
    if abs(worst) > WRONG_S:
        return Finding("clock", State.FAULT, f"{what} Receipts would carry a wrong time.", remedy)
    if abs(worst) > LATE_S:
        return Finding("clock", State.WARNING, what, remedy)
    return Finding("clock", State.OK, "it agrees with the platforms' clocks.")


def judge_sponsorship(left_nano: int, budget_nano: int) -> Finding:
    """Say how much of the budget for free replies is left."""
    what = f"{format_nano(left_nano)} of {format_nano(budget_nano)} are left for free replies."
    remedy = "Raise [money] sponsorship and restart."
    if left_nano <= 0:
        return Finding("sponsorship", State.FAULT, f"{what} Twins don't answer.", remedy)
    if left_nano * LOW_BUDGET < budget_nano:
        return Finding("sponsorship", State.WARNING, what, remedy)
    return Finding("sponsorship", State.OK, what)


def judge_chain(chain_id: int, height: int, treasury_units: int, promised_nano: int) -> Finding:
    """Say whether the treasury can pay what the sponsorship still promises to creators."""
    promised_units = promised_nano * TOKEN_UNITS // NANO
    what = f"chain {chain_id}, block {height}, {treasury_units / TOKEN_UNITS:.2f} in the treasury"
    if treasury_units < promised_units:
        return Finding(
            "chain",
            State.WARNING,
            f"{what}, less than the sponsorship left ({promised_units / TOKEN_UNITS:.2f}).",
            "Put tokens into the treasury, or creators' claims will wait.",
        )
    return Finding("chain", State.OK, f"{what}.")


def left_of_sponsorship(balances: dict[str, int], budget_nano: int) -> int:
    """Return what is left of the budget, in nano-units; at a start it is filled up to the budget.

    Args:
        balances: of the operator's accounts; equity is what was paid in, negative.
        budget_nano: what the configuration allows in all.
    """
    return balances[SPONSOR] + max(0, budget_nano + balances[EQUITY])
