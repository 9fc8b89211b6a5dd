"""Before anything is served: the machine, the checkpoints, the engines, the configuration."""

import json
from dataclasses import asdict
from pathlib import Path

from tokenizers import Tokenizer

from deploy.gpu.plan import EXAMPLES, FP16, PLAIN, PLAIN_KV16, SERVED, SERVED_KV16, TEMPLATE
from deploy.gpu.steps import Found, StepFailed
from deploy.gpu.template import differences
from deploy.gpu.workplace import Workplace
from querygist.engines.base import Identity
from querygist.engines.lookahead import Lookahead
from querygist.engines.triton.tensorrt_llm import differing
from querygist.errors import ArtifactError
from querygist.triton_server import repository
from querygist.trtllm.build import Recipe, build, limits_for
from querygist.trtllm.checkpoint import Checkpoint, identity_of, sign, with_fp16_kv_cache
from querygist.trtllm.engine_manifest import EngineManifest
from querygist.trtllm.machine import Machine

READ_TEMPLATE = f"import json; print(json.dumps(open({TEMPLATE!r}).read()))"

CALIBRATION = ("--calib_size", "512", "--calib_max_seq_length", "896", "--batch_size", "8")


def machine(place: Workplace) -> Found:
    """The GPU and the container's versions, the pinned one among them."""
    place.machine = Machine.ask(place.container)
    return asdict(place.machine) | {"image": place.container.image}


def checkpoints(place: Workplace) -> Found:
    """FP8 as it was exported, or quantized here; the same with an FP16 cache; and FP16 from the Hugging Face folder."""
    _of_this_model(place.plan.hf, identity_of(place.plan.hf), place.identity)
    folder = place.plan.checkpoint or _quantize(place)
    fp16 = _folder(place, FP16)
    script = f"{EXAMPLES}/models/core/llama/convert_checkpoint.py"
    words = ["python3", script, "--model_dir", str(place.plan.hf.absolute()), "--dtype", "float16"]
    place.container.run([*words, "--output_dir", str(fp16.absolute())], place.work / "logs" / "convert.log")
    sign(fp16, identity_of(place.plan.hf))
    folders = {
        "fp8": folder,
        "fp8-kv16": with_fp16_kv_cache(folder, place.work / "checkpoints" / "fp8-kv16"),
        FP16: fp16,
    }
    found = {name: Checkpoint.read(each) for name, each in folders.items()}
    for checkpoint in found.values():
        _of_this_model(checkpoint.folder, checkpoint.identity, place.identity)
    place.checkpoints = found
    return {name: {"folder": str(one.folder), "sha256": one.hashes()} for name, one in found.items()}


def engines(place: Workplace) -> Found:
    """Each engine and its manifest, read back and compared with the files."""
    if place.machine is None:
        raise RuntimeError("the machine comes first")
    lookahead = Lookahead(*repository.lookahead(repository.load_config(repository.GPU_MODEL)))
    ways = {
        SERVED: ("fp8", lookahead),
        PLAIN: ("fp8", None),
        SERVED_KV16: ("fp8-kv16", lookahead),
        PLAIN_KV16: ("fp8-kv16", None),
        FP16: (FP16, None),
    }
    found: Found = {}
    for name, (weights, chosen) in ways.items():
        checkpoint = place.checkpoints[weights]
        recipe = Recipe(name, checkpoint, chosen, limits_for(checkpoint))
        made = build(recipe, place.container, place.machine, place.work / "engines")
        version = made / repository.GPU_MODEL.name / "1"
        manifest = EngineManifest.read(version)
        place.repositories[name] = made
        found[name] = {"command": manifest.command, "sha256": manifest.engine, "repository": str(made)}
    return found


def configuration(place: Workplace) -> Found:
    """Our tensor table is the image's."""
    template = json.loads(place.container.last_line(("python3", "-c", READ_TEMPLATE)))
    ours = repository.load_config(repository.GPU_MODEL)
    other = differences(ours, template)
    if other:
        raise StepFailed(
            f"{len(other)} tensors are not those of the image's {TEMPLATE}: {'; '.join(other)}. "
            f"Correct {repository.GPU_MODEL}/config.pbtxt.",
            {"differing": other},
        )
    return {"inputs": len(ours.input), "outputs": len(ours.output), "template": TEMPLATE}


def _quantize(place: Workplace) -> Path:
    """FP8 by TensorRT-LLM's own script on the GPU, calibrated on the prompts of the rows given."""
    folder, data = _folder(place, "fp8"), place.work / "calibration"
    data.mkdir(parents=True, exist_ok=True)
    decode = Tokenizer.from_file(str(place.plan.hf / "tokenizer.json")).decode
    lines = [json.dumps({"text": decode(ids, skip_special_tokens=False)}) for ids in place.prompts]
    (data / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["python3", f"{EXAMPLES}/quantization/quantize.py", "--model_dir", str(place.plan.hf.absolute())]
    words += ["--dtype", "float16", "--qformat", "fp8", "--kv_cache_dtype", "fp8"]
    words += ["--calib_dataset", str(data.absolute()), *CALIBRATION, "--output_dir", str(folder.absolute())]
    place.container.run(words, place.work / "logs" / "quantize.log")
    sign(folder, identity_of(place.plan.hf))
    return folder


def _folder(place: Workplace, name: str) -> Path:
    """For a checkpoint that the container writes. It is root there, and the folder must be ours."""
    folder = place.work / "checkpoints" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _of_this_model(folder: Path, told: Identity, expected: Identity) -> None:
    if other := differing(asdict(told), expected):
        raise ArtifactError(
            f"{folder} is not of the model that the gateway expects: {'; '.join(other)}. "
            "Export it again: `python -m training quantize`."
        )
