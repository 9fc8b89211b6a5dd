"""Texts to prompt token ids, and token ids to text."""
