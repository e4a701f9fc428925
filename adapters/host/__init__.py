"""This machine's clock and randomness."""
