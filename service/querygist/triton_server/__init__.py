"""A real Triton Inference Server without a GPU: located, started, kept alive. The gateway itself never imports this."""
