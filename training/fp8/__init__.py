"""The student in FP8: a TensorRT-LLM checkpoint made and checked on a CPU.

In order: source_model (what is quantized, written down), calibration (prompts), modelopt_step (in an
environment of its own), repair and check, readback (the checkpoint as a model in torch), and quality (what FP8 costs).
"""
