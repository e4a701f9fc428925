"""The core of Twinproof: no platform SDK, no database driver, no chain library."""
