"""Triton's entry for the scripted model; its configuration is that of the CPU model."""

from pathlib import Path

from loadtest.scripted_model.source import ScriptedSource
from querygist.triton_backend.model import TokenSource, TritonModel


class TritonPythonModel(TritonModel):
    """The name Triton looks for."""

    def make_source(self, parameters: dict[str, str]) -> TokenSource:
        """A script in place of the engine."""
        return ScriptedSource(Path(parameters["script"]))
