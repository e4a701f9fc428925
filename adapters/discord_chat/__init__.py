"""The Discord surface: one application, every twin."""
