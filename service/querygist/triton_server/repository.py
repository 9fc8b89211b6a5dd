"""The model repository a server is started with: the shipped one, and what only this machine knows added to it."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from querygist.engines.triton.protocol import LOOKAHEAD
from querygist.errors import ConfigurationError
from querygist.files import MODEL_REPOSITORY

CPU_MODEL = MODEL_REPOSITORY / "cpu" / "tensorrt_llm"
"""The CPU model as it is shipped: config.pbtxt and 1/model.py."""

GPU_MODEL = CPU_MODEL.parent.parent / "gpu" / CPU_MODEL.name
"""The configuration of a TensorRT-LLM engine: what `querygist engine build` fills in for one."""

CONFIG = "config.pbtxt"


def load_config(model: Path) -> ModelConfig:
    """Read a model folder's configuration. Raises ConfigurationError when it cannot be read."""
    path = model / CONFIG
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), ModelConfig())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ConfigurationError(f"Cannot read the Triton model's configuration {path}: {error}") from None


def lookahead(config: ModelConfig) -> tuple[int, int, int]:
    """Return the (window, n-gram, verification set) the model decodes with, from its configuration's parameters."""
    window, ngram, verification_set = (int(config.parameters[name].string_value) for name in LOOKAHEAD)
    return window, ngram, verification_set


def render(source: Path, into: Path, parameters: Mapping[str, str], dropped: Collection[str] = ()) -> Path:
    """Copy the model folder `source` into the repository `into`, `parameters` added to its configuration.

    A parameter that is there already gets the new value; those of `dropped` names are taken out. Returns the new model
    folder. The copy is where the server works because it writes `__pycache__` beside the model. Raises
    ConfigurationError when `source` cannot be read.
    """
    config = load_config(source)
    for name, value in parameters.items():
        config.parameters[name].string_value = value
    for name in config.parameters.keys() & set(dropped):
        del config.parameters[name]
    rendered = into / source.name
    shutil.copytree(source, rendered, ignore=shutil.ignore_patterns("__pycache__"))
    (rendered / CONFIG).write_text(text_format.MessageToString(config), encoding="utf-8")
    return rendered
