"""Runs of many load tests: rising load, killed servers."""
