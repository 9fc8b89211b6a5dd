"""Triton's entry: the model is service/triton_model/host.py, from the project's wheel in Triton's environment."""

from service.triton_model.host import Host


class TritonPythonModel(Host):
    """The name Triton looks for."""
