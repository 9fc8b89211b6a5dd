"""A real Triton Inference Server without a GPU: found, started, kept alive. The gateway itself never imports this."""
