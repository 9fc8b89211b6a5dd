"""Evaluation of summaries: baselines, measures with intervals, and the report of both."""
