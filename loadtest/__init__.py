"""Benchmarks and load tests. `python -m loadtest.NAME --help` tells what each measures."""
