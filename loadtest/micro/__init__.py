"""Benchmarks of one part: engine settings, the gateway, what the gateway adds to Triton."""
