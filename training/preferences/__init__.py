"""Preference pairs: judgements, click logs, ranked samples."""
