"""Against real Triton servers: the CPU model, and the same with a script in place of the engine."""
