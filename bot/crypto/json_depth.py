"""How deeply foreign JSON is nested, counted before a parser runs: CPython's overflows the stack.

Linear in the bytes, whatever they are: a string that does not end counts to the end.
"""

import re

_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_STEPS = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def is_deeper(data: bytes, maximum: int) -> bool:
    """Whether arrays and objects are nested more than `maximum` levels deep."""
    depth = 0
    for match in _STRUCTURE.finditer(data):
        depth += _STEPS.get(match[0], 0)
        if depth > maximum:
            return True
    return False
