"""What the sweep over (W, N, G) is measured by and reported as."""
