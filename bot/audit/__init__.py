"""Re-derives every root, balance and claim from what is stored ("fsck")."""
