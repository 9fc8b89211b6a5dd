"""Documents to clean text, sentences and passages."""
