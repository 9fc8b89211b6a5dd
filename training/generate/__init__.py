"""What writes summaries: models in this process, and services elsewhere."""
