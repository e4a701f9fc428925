"""Durable stores in one SQLite file."""
