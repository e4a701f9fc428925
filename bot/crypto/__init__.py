"""Algorithms pinned to a specification and its published vectors."""
