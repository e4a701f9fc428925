"""How many single tokens are cheaper to decode one after the other than together.

Surprisingly often two: the library's kernels for a few columns are slower than those for one, on
some processors, formats and numbers of threads, by more than half. The bits are the same either
way, so that it is simply tried, once, when the model is loaded.
"""

from collections.abc import Callable

MOST_ALONE = 4
REPEATS = 3
BUDGET_S = 0.5


def count_alone(decode: Callable[[int], None], clock: Callable[[], float]) -> int:
    """Return up to how many single tokens are decoded faster one by one, 1 to `MOST_ALONE`.

    Args:
        decode: decodes so many single tokens of different sequences together.
        clock: seconds.
    """
    begun = clock()

    def measure(count: int) -> float:
        best = float("inf")
        for _ in range(REPEATS):
            start = clock()
            decode(count)
            best = min(best, clock() - start)
            if clock() - begun > BUDGET_S:
                break
        return best

    decode(1)  # the first one of its kind also builds a graph
    one = measure(1)
    for count in range(2, MOST_ALONE + 1):
        if clock() - begun > BUDGET_S or measure(count) <= count * one:
            return count - 1
    return MOST_ALONE
