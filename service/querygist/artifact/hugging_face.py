"""Another base model as a Hugging Face folder or hub id: its files, its configuration, and its export to OpenVINO.

transformers' own exporter does the work, in a process of its own that takes torch's memory with it when it ends. It
needs the extra `export`; any architecture that transformers exports with a KV cache can be served.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from querygist import json_files
from querygist.artifact import openvino_ir
from querygist.errors import ArtifactError
from querygist.settings import Precision

CONFIG, TOKENIZER, WEIGHTS, SHARDS = "config.json", "tokenizer.json", "*.safetensors", "model.safetensors.index.json"

_NEEDED: dict[Precision, tuple[str, ...]] = {
    "fp32": ("torch", "transformers"),
    "int8": ("torch", "transformers", "nncf"),
}
"""Packages of the extra `export`; NNCF makes the int8 weights."""


class ModelConfig(BaseModel):
    """The part of config.json that the service must know: token limits, and the id, or ids, that end a text."""

    max_position_embeddings: int
    vocab_size: int
    eos_token_id: int | list[int]

    @property
    def end_id(self) -> int:
        """The id that ends a text; of several, the last, which in chat models ends a turn."""
        return self.eos_token_id if isinstance(self.eos_token_id, int) else self.eos_token_id[-1]


def read_config(folder: Path) -> ModelConfig:
    """Read the folder's config.json. Raises ArtifactError, naming the field."""
    return json_files.load(ModelConfig, folder / CONFIG, "language model's configuration", raising=ArtifactError)


def model_files(folder: Path) -> list[Path]:
    """List the files that decide what the model is. Raises ArtifactError, naming the first that is missing."""
    names = {"model.safetensors"}
    if (folder / SHARDS).is_file():
        try:
            names = set(json.loads((folder / SHARDS).read_bytes())["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ArtifactError(f"{folder / SHARDS} is not a safetensors index ({error}).") from error
    files = [folder / name for name in (CONFIG, TOKENIZER, *sorted(names))]
    for path in files:
        if not path.is_file():
            raise ArtifactError(
                f"{folder} has no {path.name}. A Hugging Face model folder needs it (safetensors, not .bin)."
            )
    return files


def cached(hub_id: str, cache_dir: Path) -> Path:
    """Return the folder of a hub model that is whole in the cache: no network. Raises ArtifactError when none is."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415  half a second that only a hub id pays
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    try:
        folder = Path(snapshot_download(hub_id, cache_dir=cache_dir / "hub", local_files_only=True))
        model_files(folder)
    except (LocalEntryNotFoundError, ArtifactError) as error:
        raise ArtifactError(f"{hub_id} has not been downloaded yet: run `querygist model fetch`.") from error
    return folder


def fetch(hub_id: str, cache_dir: Path) -> Path:
    """Return the folder of a hub model, downloaded unless it is whole in the cache. Raises ArtifactError."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

    try:
        return cached(hub_id, cache_dir)
    except ArtifactError:
        pass
    try:
        patterns = [CONFIG, TOKENIZER, SHARDS, WEIGHTS]
        return Path(snapshot_download(hub_id, cache_dir=cache_dir / "hub", allow_patterns=patterns))
    except (HfHubHTTPError, OSError, ValueError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ArtifactError(
            f"QUERYGIST_BASE: {hub_id} cannot be downloaded from the model hub: {said} "
            "Check the id and the network, set HF_ENDPOINT to a mirror, or use a local folder or .gguf file."
        ) from error


def export(folder: Path, into: Path, precision: Precision) -> None:
    """Write the folder's model to `into` as openvino_ir.FILES. Raises ArtifactError."""
    if absent := [name for name in _NEEDED[precision] if find_spec(name) is None]:
        raise ArtifactError(
            f"{folder} is a Hugging Face model, and exporting it needs {', '.join(absent)}: "
            "pip install 'querygist[export]', or use a .gguf file."
        )
    openvino_ir.convert(__name__, str(folder), str(into), precision)


def main(folder: str, into: str, precision: str) -> None:
    """Export in this process: one graph that takes several tokens at once and keeps its KV cache to itself."""
    import openvino  # noqa: PLC0415  only the child process pays for these
    import torch  # noqa: PLC0415
    import transformers.exporters  # noqa: PLC0415
    from transformers.exporters.utils import decompose_for_generation  # noqa: PLC0415

    exporters: Any = transformers.exporters  # lazy, which type checkers cannot follow
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="sdpa"
    )
    ids = torch.ones((2, 4), dtype=torch.int64)  # two rows: an axis of one would be taken for a constant
    sample = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    decode, inputs = decompose_for_generation(model.eval(), sample, multi_token_decode=True)["decode"]
    quantizer = None
    if precision == "int8":
        import nncf  # noqa: PLC0415

        compression = exporters.NNCFWeightCompressionConfig(mode=nncf.CompressWeightsMode.INT8_SYM)
        quantizer = exporters.NNCFOpenVINOQuantizer(compression)
    config = exporters.OpenVINOConfig(dynamic=True, quantizer=quantizer)
    program = exporters.OpenVINOExporter().export(decode, inputs, config).program
    del program.rt_info["runtime_options"]  # the engine sets its own precisions
    openvino.save_model(program, Path(into) / openvino_ir.FILES[0], compress_to_fp16=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
