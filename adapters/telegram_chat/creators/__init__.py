"""Creators on Telegram: menus, questions that survive restarts, cards, pictures, signing links."""
