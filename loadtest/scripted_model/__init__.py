"""A Triton model that answers by a script in place of the engine: to measure overhead and to test failures."""
