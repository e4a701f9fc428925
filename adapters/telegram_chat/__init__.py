"""The Telegram surface for fans: many bots in one process, each isolated from the others."""

import os

# The library's own switch to durations as `timedelta`; without it each flood answer warns.
os.environ.setdefault("PTB_TIMEDELTA", "1")
