"""What was said, provably: issue, log, bundle, verify."""
