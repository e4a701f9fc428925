"""The chat surface in a terminal."""
