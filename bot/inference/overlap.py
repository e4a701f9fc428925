"""How much two lists of token ids have in common."""

from collections.abc import Sequence


def shared_length(left: Sequence[int], right: Sequence[int]) -> int:
    """Return the length of the longest common prefix, by halving: slices compare fast."""
    low, high = 0, min(len(left), len(right))
    if list(left[:high]) == list(right[:high]):
        return high
    while low < high - 1:
        middle = (low + high) // 2
        if list(left[low:middle]) == list(right[low:middle]):
            low = middle
        else:
            high = middle
    return low
