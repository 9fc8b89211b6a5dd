"""From a checkpoint to folders that Triton serves: engine, manifest and config.pbtxt, with lookahead and without it."""

import json
import shutil
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from querygist.engines.lookahead import Lookahead
from querygist.engines.triton import identity, tensorrt_llm
from querygist.engines.triton.protocol import LOOKAHEAD
from querygist.errors import ArtifactError, ConfigurationError
from querygist.files import sha256_of
from querygist.triton_backend.inputs import MAX_SEQ_LEN
from querygist.triton_server import repository
from querygist.trtllm.checkpoint import Checkpoint
from querygist.trtllm.container import IMAGE, Container
from querygist.trtllm.engine_manifest import EngineManifest
from querygist.trtllm.limits import Limits, check
from querygist.trtllm.machine import Machine

ENGINE, ENGINE_CONFIG = "rank0.engine", "config.json"
"""Files that trtllm-build writes."""


def limits_for(checkpoint: Checkpoint, max_seq_len: int = MAX_SEQ_LEN) -> Limits:
    """The limits of an engine for this model: its manifest's context, and the requests its config.pbtxt lets in."""
    return Limits(
        max_batch_size=repository.load_config(repository.GPU_MODEL).max_batch_size,
        max_input_len=checkpoint.identity.prompt_limit,
        max_output_len=checkpoint.identity.output_limit,
        max_seq_len=max_seq_len,
    )


@dataclass(frozen=True, slots=True)
class Recipe:
    """One engine: `lookahead` None decodes one token a pass."""

    name: str
    checkpoint: Checkpoint
    lookahead: Lookahead | None
    limits: Limits

    def command(self, into: Path) -> list[str]:
        """trtllm-build's command line (TensorRT-LLM 1.2.1, tensorrt_llm/commands/build.py).

        No --gemm_plugin: for FP8 TensorRT's own kernels are faster. FP8 attention over the prompt wants FP8 keys and
        values. gather_*_logits stay off: lookahead decoding has none.
        """
        limits = self.limits
        speculative = []
        if self.lookahead is not None:
            speculative = ["--speculative_decoding_mode", "lookahead_decoding"]
            speculative += ["--max_draft_len", str(self.lookahead.max_draft_len)]
        return [
            "trtllm-build",
            *("--checkpoint_dir", str(self.checkpoint.folder.absolute()), "--output_dir", str(into.absolute())),
            *speculative,
            *("--max_batch_size", str(limits.max_batch_size), "--max_beam_width", "1"),
            *("--max_input_len", str(limits.max_input_len), "--max_seq_len", str(limits.max_seq_len)),
            *("--max_num_tokens", str(limits.max_num_tokens)),
            *("--gpt_attention_plugin", "float16", "--kv_cache_type", "paged", "--remove_input_padding", "enable"),
            *("--use_paged_context_fmha", "enable"),
            *("--use_fp8_context_fmha", "enable" if self.checkpoint.kv_cache == "fp8" else "disable"),
            *("--multiple_profiles", "enable"),
        ]


def build_engines(
    checkpoint: Path,
    out: Path,
    console: Console,
    *,
    lookahead: str | None = None,
    max_seq_len: int | None = None,
    served_from: Path | None = None,
    here: bool = False,
) -> None:
    """Build `out`/lookahead and `out`/plain, in the pinned container or, with `here`, as whoever is inside of it.

    `lookahead` is "W,N,G", `max_seq_len` in tokens; without, they are those of the committed config.pbtxt and of the
    CPU model. `served_from`: where the server will find `out`. Raises QuerygistError.
    """
    read = Checkpoint.read(checkpoint)
    limits = limits_for(read, max_seq_len or MAX_SEQ_LEN)
    out.mkdir(parents=True, exist_ok=True)
    container = Container(None if here else IMAGE, (checkpoint, out))
    machine = Machine.ask(container)
    recipes = [Recipe("lookahead", read, parse_lookahead(lookahead), limits), Recipe("plain", read, None, limits)]
    for recipe in recipes:  # both of them, before the first minutes are spent
        check(limits, recipe.lookahead, read, machine.compute_capability)
    for recipe in recipes:
        with console.status(f"building {recipe.name}: some minutes; its log is {out / recipe.name}.log"):
            made = build(recipe, container, machine, out, served_from=served_from)
        drafts = recipe.lookahead.max_draft_len if recipe.lookahead else 0
        console.print(f"{made}, {drafts} draft tokens in a pass, for {machine.gpu}")


def build(
    recipe: Recipe, container: Container, machine: Machine, out: Path, *, served_from: Path | None = None
) -> Path:
    """Build one engine as `out`/<name>, a model repository for `tritonserver --model-repository`; returns it.

    It is there as a whole or as it was before. `served_from`: where the server will find `out`, if elsewhere.
    Raises ConfigurationError, CommandFailed and ArtifactError.
    """
    check(recipe.limits, recipe.lookahead, recipe.checkpoint, machine.compute_capability)
    target = out / recipe.name
    partial = out / f".{recipe.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    engine = partial / "engine"
    engine.mkdir(parents=True)
    command = recipe.command(engine)
    container.run(command, out / f"{recipe.name}.log")
    _check_built(recipe, engine)
    manifest = EngineManifest(
        name=recipe.name,
        model=replace(recipe.checkpoint.identity, precision=recipe.checkpoint.weights),
        lookahead=astuple(recipe.lookahead) if recipe.lookahead else None,
        limits=recipe.limits,
        weights=recipe.checkpoint.weights,
        kv_cache=recipe.checkpoint.kv_cache,
        machine=machine,
        image=container.image,
        command=command,
        checkpoint=recipe.checkpoint.hashes(),
        engine={name: sha256_of(engine / name) for name in (ENGINE, ENGINE_CONFIG)},
    )
    manifest.write(engine)
    version = (served_from or out).absolute() / recipe.name / repository.GPU_MODEL.name / "1"
    model = repository.render(
        repository.GPU_MODEL,
        partial,
        parameters(manifest, version),
        dropped=() if recipe.lookahead else ("decoding_mode", *LOOKAHEAD),
    )
    for file in engine.iterdir():
        shutil.move(file, model / "1" / file.name)
    engine.rmdir()
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return target


def parameters(manifest: EngineManifest, version: Path) -> dict[str, str]:
    """Return config.pbtxt's parameters of an engine that the server finds in the folder `version`."""
    values = {
        identity.PARAMETER: json.dumps(asdict(manifest.model)),
        tensorrt_llm.PARAMETER: manifest.model_dump_json(),
        "gpt_model_path": str(version),
    }
    if manifest.lookahead is not None:
        values |= dict(zip(LOOKAHEAD, map(str, manifest.lookahead), strict=True))
    return values


def _check_built(recipe: Recipe, engine: Path) -> None:
    """Reject an engine with other limits than asked for: trtllm-build adjusts what it does not like with a warning."""
    try:
        config: dict[str, Any] = json.loads((engine / ENGINE_CONFIG).read_text(encoding="utf-8"))["build_config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"trtllm-build wrote no {ENGINE_CONFIG} with a build_config ({error!r}).") from error
    if not (engine / ENGINE).is_file():
        raise ArtifactError(f"trtllm-build wrote no {ENGINE} into {engine}.")
    limits = asdict(recipe.limits)
    del limits["max_output_len"]
    wanted = limits | {"max_draft_len": recipe.lookahead.max_draft_len if recipe.lookahead else 0}
    other = [
        f"{name} is {config.get(name)} and {value} was asked for"
        for name, value in wanted.items()
        if config.get(name) != value
    ]
    if other:
        raise ArtifactError(f"trtllm-build built another engine than it was asked for: {'; '.join(other)}.")


def parse_lookahead(text: str | None) -> Lookahead:
    """Read "W,N,G"; None is that of the committed config.pbtxt. Raises ConfigurationError."""
    shipped = repository.lookahead(repository.load_config(repository.GPU_MODEL))
    if text is None:
        return Lookahead(*shipped)
    try:
        window, ngram, verification_set = map(int, text.split(","))
        lookahead = Lookahead(window, ngram, verification_set)
        if not lookahead.max_draft_len:
            raise ValueError("it drafts nothing: that is the engine `plain`, which is built as well")
    except ValueError as error:
        raise ConfigurationError(
            f"The lookahead {text!r} cannot be built ({error}). Write W,N,G such as {','.join(map(str, shipped))}."
        ) from error
    return lookahead
