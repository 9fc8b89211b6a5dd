"""Rows of public data sets to training and test examples."""
