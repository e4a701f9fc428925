"""Hypothesis profiles: short while developing, longer and repeatable in CI, never a deadline."""

import os
import signal

from hypothesis import HealthCheck, settings

_SLOW_IS_FINE = (HealthCheck.too_slow,)

settings.register_profile(
    "dev", max_examples=25, deadline=None, suppress_health_check=_SLOW_IS_FINE
)
settings.register_profile(
    "ci",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=_SLOW_IS_FINE,
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# A test run in the background of a script ignores Ctrl-C, and so would the programs under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
