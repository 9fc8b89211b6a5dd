"""The CPU model behind Triton's `tensorrt_llm`: TensorRT-LLM's tensors and semantics in front of our scheduler.

Runs inside Triton's python backend, in an environment with numpy and OpenVINO only.
"""
