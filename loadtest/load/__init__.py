"""One load test: arrivals, traffic, client, results, report."""
