"""Priced events as balanced double-entry transactions."""
