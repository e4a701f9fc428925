"""Epochs, the claim tree and the crash-safe publisher."""
