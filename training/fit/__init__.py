"""Fit of numeric parameters to the frozen validation set for choices."""
