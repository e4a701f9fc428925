"""Fans' money: what is sold, bought, given back and disputed."""
