"""Generators of summaries: models in this process, and services elsewhere."""
