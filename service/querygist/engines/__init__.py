"""Engines turn prompt token ids into summary token ids. They know nothing of HTTP or of text."""
