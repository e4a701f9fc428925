"""How much memory this process may still take, and how a model's sequences are fitted into it."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

MAX_SEQUENCES = 256
PARALLEL_EACH_THREAD, MIN_PARALLEL, MAX_PARALLEL = 4, 8, 32
PREFIXES = 8
RESTING_EACH = 2
MAX_CONTEXT, MIN_CONTEXT, CONTEXT_STEP = 4096, 256, 256
BATCH_TOKENS = 512
CACHE_SHARE = 0.4
AUTOMATIC_CACHE_BYTES = 2 * 2**30
"""Above this, sequences come only where the operator asks for them: all are cleared at start."""


@dataclass(frozen=True, slots=True)
class _Names:
    """What a version of control groups calls its limit, its usage, and files' pages in it."""

    limit: str
    usage: str
    cached: tuple[str, str]


VERSION_2 = _Names("memory.max", "memory.current", ("inactive_file", "active_file"))
VERSION_1 = _Names(
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)


def available_bytes(root: Path = Path("/")) -> int | None:
    """Return what a process can still take without swapping or meeting its group's limit.

    Args:
        root: where `proc` and `sys` are mounted.

    Returns:
        None where the system doesn't say.
    """
    known = [_machine_bytes(root), *_group_bytes(root)]
    return min((one for one in known if one is not None), default=None)


def _machine_bytes(root: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _group_bytes(root: Path) -> list[int]:
    """Return what each control group above this process leaves, versions 2 and 1."""
    left: list[int] = []
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text(encoding="ascii").splitlines():
            _, kinds, inner = line.split(":", 2)
            if not kinds:
                left += _left_along(root / "sys/fs/cgroup", inner, VERSION_2)
            elif "memory" in kinds.split(","):
                left += _left_along(root / "sys/fs/cgroup/memory", inner, VERSION_1)
    return left


def _left_along(mount: Path, inner: str, names: _Names) -> list[int]:
    """Return limit less usage of a group and all above it, where there is a limit."""
    folder = mount / inner.lstrip("/")
    left = []
    for one in [folder, *folder.parents]:
        with suppress(OSError, ValueError):  # "max" is no number: no limit
            limited = int((one / names.limit).read_text())
            used = int((one / names.usage).read_text()) - _cached_bytes(one, names)
            left.append(max(0, limited - max(0, used)))
        if one == mount:
            break
    return left


def _cached_bytes(group: Path, names: _Names) -> int:
    """Return how much of a group's usage are files' pages, which give way to whoever needs them.

    A model that was just hashed lies there as a whole, and would not find room for itself.
    """
    cached = 0
    with suppress(OSError, ValueError):
        for line in (group / "memory.stat").read_text(encoding="ascii").splitlines():
            name, count = line.split()
            if name in names.cached:
                cached += int(count)
    return cached


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator asks for; 0 leaves a number to the machine.

    Attributes:
        parallel: most replies that are written at once.
        context: longest conversation, in tokens.
        gpu_layers: how many layers a GPU takes, where the library is built for one; -1 for all.
    """

    parallel: int = 0
    context: int = 0
    gpu_layers: int = 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How the model's sequences are divided.

    Attributes:
        parallel: most requests that run at once.
        resting: conversations that are kept beside them.
        prefixes: hot persona prefixes.
        cells: longest list of tokens in one sequence.
        batch: most tokens of one decode.
    """

    parallel: int
    resting: int
    prefixes: int
    cells: int
    batch: int = BATCH_TOKENS

    @property
    def sequences(self) -> int:
        """All of them, with the empty one through which states are moved."""
        return self.parallel + self.resting + 1 + self.prefixes


def choose_sizes(
    wishes: Wishes, *, trained: int, cell_bytes: int, room_bytes: int | None, threads: int
) -> Sizes | None:
    """Fit as many sequences into memory as are of use.

    What nobody asked for by number gives way first: resting conversations, then hot prefixes, then
    the length of the context, then how many run at once.

    Args:
        wishes: the operator's numbers are kept, or nothing fits.
        trained: the model's own longest context.
        cell_bytes: keys and values of one token.
        room_bytes: what is available for them; None where that is unknown.
        threads: of the model.

    Returns:
        None if not even the least fits.
    """
    parallel = wishes.parallel or min(
        MAX_PARALLEL, max(MIN_PARALLEL, threads * PARALLEL_EACH_THREAD)
    )
    context = min(trained, wishes.context or MAX_CONTEXT)
    resting = min(RESTING_EACH * parallel, MAX_SEQUENCES - 1 - PREFIXES - parallel)
    sizes = Sizes(parallel, max(1, resting), PREFIXES, context)
    share = None if room_bytes is None else int(room_bytes * CACHE_SHARE)
    wanted = AUTOMATIC_CACHE_BYTES if share is None else min(share, AUTOMATIC_CACHE_BYTES)
    for limit in (wanted, share):
        fitted = _fit(sizes, wishes, cell_bytes, limit)
        if fitted is not None:
            return fitted
    return None


def _fit(sizes: Sizes, wishes: Wishes, cell_bytes: int, limit: int | None) -> Sizes | None:
    for smaller in _ever_smaller(sizes, wishes):
        if smaller.sequences > MAX_SEQUENCES:
            continue
        if limit is None or smaller.sequences * _padded(smaller.cells) * cell_bytes <= limit:
            return smaller
    return None


def _padded(cells: int) -> int:
    """Return how many cells the library takes for so many."""
    return -(-cells // CONTEXT_STEP) * CONTEXT_STEP


def _ever_smaller(sizes: Sizes, wishes: Wishes) -> list[Sizes]:
    found = [sizes]

    def take(**changes: int) -> None:
        found.append(replace(found[-1], **changes))

    while found[-1].resting > 1:
        take(resting=found[-1].resting // 2)
    while found[-1].prefixes > 1:
        take(prefixes=found[-1].prefixes // 2)
    while not wishes.context and found[-1].cells > 4 * MIN_CONTEXT:
        take(cells=max(4 * MIN_CONTEXT, found[-1].cells // 2))
    while not wishes.parallel and found[-1].parallel > 1:
        take(parallel=found[-1].parallel // 2)
    while not wishes.context and found[-1].cells > MIN_CONTEXT:
        take(cells=max(MIN_CONTEXT, found[-1].cells // 2))
    return found
