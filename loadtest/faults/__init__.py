"""Faults injected into a real server, and what its clients see of them."""
