"""TensorRT-LLM engines: from a checkpoint to a model repository that Triton serves, and what each engine is."""
