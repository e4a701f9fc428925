"""Bots of creators' own: Telegram makes them, a bot of ours manages them, each is one twin."""
