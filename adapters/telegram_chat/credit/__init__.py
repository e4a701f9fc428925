"""Fans' credit on Telegram: invoices in Stars, payments and refunds, and what people ask of it."""
