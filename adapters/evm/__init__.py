"""The settlement contract, its chain client and the embedded chain."""
