"""Rows to measure with, and what a summary is measured by."""
