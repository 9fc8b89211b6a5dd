"""Lookahead decoding: a reference implementation, and the sweep over (W, N, G)."""
