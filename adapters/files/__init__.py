"""Personas, keys and models on disk."""
