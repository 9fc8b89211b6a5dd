"""Prometheus: its configuration, and the rules that are made from code."""
