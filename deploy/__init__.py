"""What runs the service somewhere: Triton on a CPU, engines on a GPU."""
