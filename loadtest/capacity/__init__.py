"""The number of GPUs a stream of queries needs: costs, simulation, search, report."""
