"""The local web: chat page, proof page, bundles, health."""
