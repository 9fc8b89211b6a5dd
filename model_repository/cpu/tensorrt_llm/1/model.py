"""Triton's entry: the model is querygist.triton_backend.model, from the project's wheel in Triton's environment."""

from querygist.triton_backend.model import TritonModel


class TritonPythonModel(TritonModel):
    """The name Triton looks for."""
