"""Costs of a pass on a GPU, and the workload that is asked of it."""
