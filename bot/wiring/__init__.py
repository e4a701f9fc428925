"""The composition root: one adapter for each port; the only importer of adapters."""
