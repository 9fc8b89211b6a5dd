"""The best student to where it is served from."""
