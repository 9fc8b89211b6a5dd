"""From a checkpoint to what Triton serves."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from querygist.engines.base import Identity
from querygist.engines.lookahead import Lookahead
from querygist.engines.triton.identity import Served
from querygist.errors import ArtifactError, ConfigurationError, QuerygistError
from querygist.files import sha256_of
from querygist.triton_server.repository import load_config
from querygist.trtllm.build import Recipe, build_engines, limits_for, parse_lookahead
from querygist.trtllm.checkpoint import Checkpoint
from querygist.trtllm.container import CommandFailed, Container
from querygist.trtllm.engine_manifest import EngineManifest
from querygist.trtllm.machine import Machine

Make = Callable[..., Path]
Faults = Callable[..., None]
QUIET = Console(quiet=True)


def words(recipe: Recipe) -> str:
    return " ".join(recipe.command(Path("/e")))


def test_the_command_lines_are_those_that_were_decided(checkpoint_folder: Make) -> None:
    read = replace(Checkpoint.read(checkpoint_folder()), folder=Path("/c"))
    limits = limits_for(read)
    room = "--max_batch_size 32 --max_beam_width 1 --max_input_len 896 --max_seq_len 1152 --max_num_tokens 4096"
    plugins = (
        "--gpt_attention_plugin float16 --kv_cache_type paged --remove_input_padding enable "
        "--use_paged_context_fmha enable --use_fp8_context_fmha enable --multiple_profiles enable"
    )
    paths = "trtllm-build --checkpoint_dir /c --output_dir /e"
    drafts = "--speculative_decoding_mode lookahead_decoding --max_draft_len 39"
    assert words(Recipe("lookahead", read, Lookahead(4, 6, 4), limits)) == f"{paths} {drafts} {room} {plugins}"
    assert words(Recipe("plain", read, None, limits)) == f"{paths} {room} {plugins}"
    cache = words(Recipe("plain", replace(read, kv_cache="fp16"), None, limits))
    assert cache == f"{paths} {room} {plugins}".replace("fp8_context_fmha enable", "fp8_context_fmha disable")
    assert "--max_draft_len 83" in words(Recipe("lookahead", read, Lookahead(7, 7, 7), limits))


def test_both_engines_are_built_and_taken_by_the_gateway(
    checkpoint_folder: Make, container: Container, tmp_path: Path, identity: Identity
) -> None:
    folder, out = checkpoint_folder(), tmp_path / "engines"
    build_engines(folder, out, QUIET)
    for name, lookahead in (("lookahead", (4, 6, 4)), ("plain", None)):
        model = out / name / "tensorrt_llm"
        assert {path.name for path in (model / "1").iterdir()} >= {
            "rank0.engine",
            "config.json",
            "engine_manifest.json",
        }
        manifest = EngineManifest.read(model / "1")
        assert manifest.lookahead == lookahead
        assert manifest.model == replace(identity, precision="fp8")
        assert manifest.machine == Machine("1.2.1", "10.14.1.48", "13.0", "580.82.07", "NVIDIA L20", (8, 9), 49140)
        assert manifest.checkpoint == Checkpoint.read(folder).hashes()
        assert manifest.engine["rank0.engine"] == sha256_of(model / "1" / "rank0.engine")
        config = load_config(model)
        assert Served.of(config, identity, "a GPU").lookahead == lookahead
        parameters = {key: value.string_value for key, value in config.parameters.items()}
        assert parameters["gpt_model_path"] == str((model / "1").absolute())
        assert parameters.get("decoding_mode") == ("lookahead" if lookahead else None)
        assert json.loads(parameters["querygist_identity"]) == asdict(replace(identity, precision="fp8"))
    assert not list(out.glob(".*")), "nothing half-built is left"


def test_another_lookahead_is_in_manifest_and_configuration(
    checkpoint_folder: Make, container: Container, tmp_path: Path, identity: Identity
) -> None:
    build_engines(checkpoint_folder(), tmp_path / "e", QUIET, lookahead="7,7,7", max_seq_len=1171)
    config = load_config(tmp_path / "e/lookahead/tensorrt_llm")
    assert Served.of(config, identity, "a GPU").lookahead == (7, 7, 7)
    assert EngineManifest.read(tmp_path / "e/lookahead/tensorrt_llm/1").limits.max_seq_len == 1171


def test_the_server_may_find_the_engines_elsewhere(
    checkpoint_folder: Make, container: Container, tmp_path: Path
) -> None:
    build_engines(checkpoint_folder(), tmp_path / "e", QUIET, served_from=Path("/engines"))
    path = load_config(tmp_path / "e/plain/tensorrt_llm").parameters["gpt_model_path"].string_value
    assert path == "/engines/plain/tensorrt_llm/1"


def test_inside_of_the_container_docker_is_not_asked(checkpoint_folder: Make, faults: Faults, tmp_path: Path) -> None:
    faults("docker")
    build_engines(checkpoint_folder(), tmp_path / "e", QUIET, here=True)
    assert EngineManifest.read(tmp_path / "e/plain/tensorrt_llm/1").image is None


@pytest.mark.parametrize(
    ("fault", "error", "told"),
    [
        ("docker", CommandFailed, "could not select device driver"),
        ("old gpu", ConfigurationError, r"compute capability is 8\.0"),
        ("version", ConfigurationError, r"TensorRT-LLM 1\.3\.0, and 1\.2\.1 is needed"),
        ("no tensorrt_llm", CommandFailed, "No module named 'tensorrt"),
        ("build", CommandFailed, r"(?s)trtllm-build failed with exit code 1.*lookahead\.log.*Engine building failed"),
        ("limits", ArtifactError, "max_num_tokens is 2048 and 4096 was asked for"),
        ("empty build", ArtifactError, r"wrote no config\.json"),
    ],
)
def test_what_fails_is_told_and_the_engines_of_before_stay(
    checkpoint_folder: Make, container: Container, faults: Faults, tmp_path: Path,
    fault: str, error: type[QuerygistError], told: str,
) -> None:  # fmt: skip
    folder, out = checkpoint_folder(), tmp_path / "engines"
    build_engines(folder, out, QUIET)
    before = EngineManifest.read(out / "lookahead/tensorrt_llm/1")
    faults(fault)
    with pytest.raises(error, match=told):
        build_engines(folder, out, QUIET)
    assert EngineManifest.read(out / "lookahead/tensorrt_llm/1") == before


def test_a_container_that_cannot_be_had_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandFailed, match=r"Cannot run docker for nvidia-smi.*NVIDIA's runtime"):
        Machine.ask(Container("an-image", (tmp_path,)))


@pytest.mark.parametrize("name", ["rank0.engine", "config.json"])
def test_an_engine_that_changed_later_is_noticed(
    checkpoint_folder: Make, container: Container, tmp_path: Path, name: str
) -> None:
    build_engines(checkpoint_folder(), tmp_path / "e", QUIET)
    version = tmp_path / "e/plain/tensorrt_llm/1"
    (version / name).write_bytes(b"another")
    with pytest.raises(ArtifactError, match=f"{name} in .* changed after engine_manifest.json"):
        EngineManifest.read(version)
    (version / "engine_manifest.json").unlink()
    with pytest.raises(ArtifactError, match="manifest of an engine that `querygist engine build` finished"):
        EngineManifest.read(version)


@pytest.mark.parametrize("text", ["4,6", "4,6,4,1", "a,b,c", "", "0,6,4", "4,1,4", "1,1,0", "1,2,0"])
def test_a_lookahead_that_cannot_be_built_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"Write W,N,G such as 4,6,4"):
        parse_lookahead(text)
