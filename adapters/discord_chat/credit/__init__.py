"""Fans' own money on Discord: what is sold, what was bought, what is left, what is disputed."""
