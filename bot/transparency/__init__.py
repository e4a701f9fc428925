"""The log as others see it: tiles, witnesses, monitors."""
