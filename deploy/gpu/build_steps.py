"""Steps before anything is served: the machine, the checkpoints, the configuration, the engines."""

import json
from dataclasses import asdict
from pathlib import Path
from string import Template

from google.protobuf import text_format
from google.protobuf.json_format import MessageToDict
from tokenizers import Tokenizer
from tritonclient.grpc.model_config_pb2 import ModelConfig

from deploy.gpu.context import AcceptanceContext
from deploy.gpu.criteria import FP16, PLAIN, PLAIN_KV16, SERVED, SERVED_KV16
from deploy.gpu.step_runner import Measured, StepFailed
from querygist.engines.base import Identity
from querygist.engines.lookahead import Lookahead
from querygist.engines.triton.tensorrt_llm import differing
from querygist.errors import ArtifactError, ConfigurationError
from querygist.triton_server import repository
from querygist.trtllm.build import Recipe, build, limits_for
from querygist.trtllm.checkpoint import Checkpoint, identity_of, sign, with_fp16_kv_cache
from querygist.trtllm.engine_manifest import EngineManifest
from querygist.trtllm.machine import Machine

EXAMPLES = "/app/examples"
"""Where the image keeps TensorRT-LLM's examples of its own release."""

TEMPLATE = "/app/all_models/inflight_batcher_llm/tensorrt_llm/config.pbtxt"
"""The image's template of our config.pbtxt."""

READ_TEMPLATE = f"import json; print(json.dumps(open({TEMPLATE!r}).read()))"

UNQUOTED = {
    "logits_datatype": "TYPE_FP32",
    "encoder_input_features_data_type": "TYPE_FP16",
    "prompt_embedding_table_data_type": "TYPE_FP16",
    "triton_max_batch_size": "32",
    "decoupled_mode": "true",
    "max_queue_delay_microseconds": "0",
    "max_queue_size": "256",
}
"""Placeholders outside of quotes: what `fill_template.py` must fill for the template to be a configuration at all."""

CALIBRATION = ("--calib_size", "512", "--calib_max_seq_length", "896", "--batch_size", "8")


def machine(context: AcceptanceContext) -> Measured:
    """Ask for the GPU and the container's versions; the pinned ones are needed."""
    context.machine = Machine.ask(context.container)
    return asdict(context.machine) | {"image": context.container.image}


def checkpoints(context: AcceptanceContext) -> Measured:
    """Collect FP8, as exported or quantized here; that with an FP16 cache; and FP16, from the Hugging Face folder."""
    hf = context.plan.hf
    identity = identity_of(hf)
    _check_identity(hf, identity, context.identity)
    fp8 = context.plan.checkpoint or _quantize(context, identity)
    fp16 = _folder(context, FP16)
    words = ["python3", f"{EXAMPLES}/models/core/llama/convert_checkpoint.py", "--model_dir", str(hf.absolute())]
    words += ["--dtype", "float16", "--output_dir", str(fp16.absolute())]
    context.container.run(words, context.work / "logs" / "convert.log")
    sign(fp16, identity)
    kv16 = with_fp16_kv_cache(fp8, context.work / "checkpoints" / "fp8-kv16")
    context.checkpoints = {
        name: Checkpoint.read(folder) for name, folder in {"fp8": fp8, "fp8-kv16": kv16, FP16: fp16}.items()
    }
    for checkpoint in context.checkpoints.values():
        _check_identity(checkpoint.folder, checkpoint.identity, context.identity)
    return {name: {"folder": str(one.folder), "sha256": one.hashes()} for name, one in context.checkpoints.items()}


def config(context: AcceptanceContext) -> Measured:
    """Compare our tensor table with that of the image's template."""
    template = json.loads(context.container.last_line(("python3", "-c", READ_TEMPLATE)))
    ours = repository.load_config(repository.GPU_MODEL)
    if tensors := tensor_differences(ours, template):
        raise StepFailed(
            f"{len(tensors)} tensors are not those of the image's {TEMPLATE}: {'; '.join(tensors)}. "
            f"Correct {repository.GPU_MODEL}/config.pbtxt.",
            {"differing": tensors},
        )
    return {"inputs": len(ours.input), "outputs": len(ours.output), "template": TEMPLATE}


def tensor_differences(ours: ModelConfig, template: str) -> list[str]:
    """Return every tensor that one has and the other has not, or has otherwise. Raises ConfigurationError."""
    try:
        theirs = text_format.Parse(Template(template).safe_substitute(UNQUOTED), ModelConfig())
    except text_format.ParseError as error:
        raise ConfigurationError(f"The image's template cannot be read: {error}.") from error
    mine, other = _tensors(ours), _tensors(theirs)
    return [
        f"{name}: ours {mine.get(name, 'is missing')}, the image's {other.get(name, 'is missing')}"
        for name in sorted(mine.keys() | other.keys())
        if mine.get(name) != other.get(name)
    ]


def _tensors(config: ModelConfig) -> dict[str, str]:
    """Return each tensor as text: type, dimensions, reshape, optional or ragged."""
    tensors = [("input", one) for one in config.input] + [("output", one) for one in config.output]
    return {f"{kind} {one.name}": str(MessageToDict(one)) for kind, one in tensors}


def engines(context: AcceptanceContext) -> Measured:
    """Build each engine, and read its manifest back, which compares the files' hashes."""
    lookahead = Lookahead(*repository.lookahead(repository.load_config(repository.GPU_MODEL)))
    recipes = {
        SERVED: ("fp8", lookahead),
        PLAIN: ("fp8", None),
        SERVED_KV16: ("fp8-kv16", lookahead),
        PLAIN_KV16: ("fp8-kv16", None),
        FP16: (FP16, None),
    }
    measured: Measured = {}
    for name, (weights, chosen) in recipes.items():
        checkpoint = context.checkpoints[weights]
        recipe = Recipe(name, checkpoint, chosen, limits_for(checkpoint))
        built = build(recipe, context.container, context.machine, context.work / "engines")
        manifest = EngineManifest.read(built / repository.GPU_MODEL.name / "1")
        context.repositories[name] = built
        measured[name] = {"command": manifest.command, "sha256": manifest.engine, "repository": str(built)}
    return measured


def _quantize(context: AcceptanceContext, identity: Identity) -> Path:
    """Quantize to FP8 by TensorRT-LLM's own script on the GPU, calibrated on the prompts of the rows given."""
    hf, folder, data = context.plan.hf, _folder(context, "fp8"), context.work / "calibration"
    data.mkdir(parents=True, exist_ok=True)
    decode = Tokenizer.from_file(str(hf / "tokenizer.json")).decode
    lines = [json.dumps({"text": decode(ids, skip_special_tokens=False)}) for ids in context.prompts]
    (data / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["python3", f"{EXAMPLES}/quantization/quantize.py", "--model_dir", str(hf.absolute())]
    words += ["--dtype", "float16", "--qformat", "fp8", "--kv_cache_dtype", "fp8"]
    words += ["--calib_dataset", str(data.absolute()), *CALIBRATION, "--output_dir", str(folder.absolute())]
    context.container.run(words, context.work / "logs" / "quantize.log")
    sign(folder, identity)
    return folder


def _folder(context: AcceptanceContext, name: str) -> Path:
    """Make the folder of a checkpoint that the container writes. It is root there, and the folder must be ours."""
    folder = context.work / "checkpoints" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _check_identity(folder: Path, identity: Identity, expected: Identity) -> None:
    if other := differing(asdict(identity), expected):
        raise ArtifactError(
            f"{folder} is not of the model that the gateway expects: {'; '.join(other)}. "
            "Export it again: `python -m training quantize`."
        )
