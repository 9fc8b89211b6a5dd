"""How good summaries are: baselines, measures with intervals, and the report of both."""
