"""The CPU model behind Triton, without a Triton."""
