"""The use case: cache, admission, generation, attribution, answer."""
