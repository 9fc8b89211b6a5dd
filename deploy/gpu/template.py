"""Our config.pbtxt's tensor table against the image's own template: what was read at a neighbouring commit, checked."""

from string import Template

from google.protobuf import text_format
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc.model_config_pb2 import ModelConfig

from querygist.errors import ConfigurationError

OPEN = {
    "logits_datatype": "TYPE_FP32",
    "encoder_input_features_data_type": "TYPE_FP16",
    "prompt_embedding_table_data_type": "TYPE_FP16",
    "triton_max_batch_size": "32",
    "decoupled_mode": "true",
    "max_queue_delay_microseconds": "0",
    "max_queue_size": "256",
}
"""Placeholders outside of quotes: what `fill_template.py` must fill for the template to be a configuration at all."""


def differences(ours: ModelConfig, template: str) -> list[str]:
    """Every tensor that one has and the other has not, or has otherwise. Raises ConfigurationError for no template."""
    try:
        theirs = text_format.Parse(Template(template).safe_substitute(OPEN), ModelConfig())
    except text_format.ParseError as error:
        raise ConfigurationError(f"The image's template cannot be read: {error}.") from error
    mine, other = _tensors(ours), _tensors(theirs)
    return [
        f"{name}: ours {mine.get(name, 'is missing')}, the image's {other.get(name, 'is missing')}"
        for name in sorted(mine.keys() | other.keys())
        if mine.get(name) != other.get(name)
    ]


def _tensors(config: ModelConfig) -> dict[str, str]:
    """Each tensor as text: type, dimensions, reshape, optional or ragged."""
    return {
        f"{kind} {one.name}": str(MessageToDict(one))
        for kind, many in (("input", config.input), ("output", config.output))
        for one in many
    }
