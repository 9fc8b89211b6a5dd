"""TensorRT-LLM checkpoints."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from querygist.engines.base import Identity
from querygist.errors import ArtifactError
from querygist.files import sha256_of
from querygist.trtllm.checkpoint import IDENTITY, KV_SCALES, Checkpoint, identity_of, sign, with_fp16_kv_cache

Make = Callable[..., Path]


def test_what_decides_how_it_is_built_is_read(checkpoint_folder: Make, identity: Identity) -> None:
    folder = checkpoint_folder()
    found = Checkpoint.read(folder)
    assert found == Checkpoint(
        folder=folder,
        identity=identity,
        weights="fp8",
        kv_cache="fp8",
        query_heads=9,
        kv_heads=9,
        positions=2048,
        vocabulary=49152,
    )
    assert found.hashes() == {name: sha256_of(folder / name) for name in ("config.json", "rank0.safetensors")}


def test_fp16_has_no_quantization(checkpoint_folder: Make) -> None:
    found = Checkpoint.read(checkpoint_folder("fp16", {"quant_algo": None, "kv_cache_quant_algo": None}))
    assert (found.weights, found.kv_cache) == ("fp16", "fp16")


def test_kv_heads_default_to_query_heads(checkpoint_folder: Make) -> None:
    assert Checkpoint.read(checkpoint_folder(num_key_value_heads=None, num_attention_heads=12)).kv_heads == 12


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"mapping": {"world_size": 2}}, "split over 2 GPUs"),
        ({"dtype": "bfloat16", "quantization": {}}, "quant_algo is None and dtype bfloat16"),
        ({"quantization": {"quant_algo": "W4A16_AWQ"}}, "quant_algo is W4A16_AWQ"),
        ({"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "INT8"}}, "kv_cache_quant_algo is INT8"),
        ({"quantization": None}, "not a TensorRT-LLM checkpoint"),
        ({"vocab_size": None}, "not a TensorRT-LLM checkpoint"),
    ],
    ids=["two GPUs", "bfloat16", "int4", "int8 cache", "no quantization", "no vocabulary"],
)
def test_another_kind_of_checkpoint_is_refused(checkpoint_folder: Make, other: dict[str, object], told: str) -> None:
    with pytest.raises(ArtifactError, match=told):
        Checkpoint.read(checkpoint_folder(**other))


@pytest.mark.parametrize("name", ["config.json", "rank0.safetensors", IDENTITY])
def test_a_file_that_is_missing_is_named_and_how_to_get_it(checkpoint_folder: Make, name: str) -> None:
    folder = checkpoint_folder()
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=rf"{name}.*python -m training quantize"):
        Checkpoint.read(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": "x"}'])
def test_an_identity_that_is_none_is_told(checkpoint_folder: Make, text: str) -> None:
    folder = checkpoint_folder()
    (folder / IDENTITY).write_text(text)
    with pytest.raises(ArtifactError, match="python -m training quantize"):
        Checkpoint.read(folder)
    with pytest.raises(ArtifactError, match=IDENTITY):
        identity_of(folder)


def test_what_is_signed_is_read_back(tmp_path: Path, identity: Identity) -> None:
    sign(tmp_path, identity)
    assert identity_of(tmp_path) == identity
    assert json.loads((tmp_path / IDENTITY).read_text()) == asdict(identity)


def test_with_an_fp16_cache_only_the_cache_changes(checkpoint_folder: Make, tmp_path: Path, identity: Identity) -> None:
    source = checkpoint_folder()
    found = Checkpoint.read(with_fp16_kv_cache(source, tmp_path / "kv16"))
    assert (found.weights, found.kv_cache, found.identity) == ("fp8", "fp16", identity)
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (source, found.folder))
    before["quantization"]["kv_cache_quant_algo"] = None
    assert after == before
    kept = tensors((found.folder / "rank0.safetensors").read_bytes())
    all_of_them = tensors((source / "rank0.safetensors").read_bytes())
    gone = {f"transformer.layers.0.attention.{name}_cache_scaling_factor" for name in ("kv", "k", "v")}
    assert set(all_of_them) - set(kept) == gone
    assert kept == {name: all_of_them[name] for name in kept}, "FP8 bytes are the same"


def tensors(file: bytes) -> dict[str, tuple[str, list[int], bytes]]:
    """Type, shape and bytes of each tensor of a safetensors file, read by the format's description."""
    size = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + size])
    header.pop("__metadata__", None)
    body = file[8 + size :]
    return {name: (one["dtype"], one["shape"], body[slice(*one["data_offsets"])]) for name, one in header.items()}


NAMES = st.text("abc.", min_size=1, max_size=6).flatmap(
    lambda stem: st.sampled_from([stem, *(stem + e for e in KV_SCALES)])
)
TENSORS = st.dictionaries(NAMES, st.lists(st.floats(width=16, allow_nan=False), max_size=5), min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(TENSORS)
def test_safetensors_itself_reads_what_is_written(
    checkpoint_folder: Make, tmp_path: Path, drawn: dict[str, list[float]]
) -> None:
    source = checkpoint_folder()
    whole: dict[str, NDArray[np.float16]] = {name: np.asarray(one, dtype=np.float16) for name, one in drawn.items()}
    save_file(whole, source / "rank0.safetensors")
    found = load_file(with_fp16_kv_cache(source, tmp_path / "kv16") / "rank0.safetensors")
    assert set(found) == {name for name in whole if not name.endswith(KV_SCALES)}
    for name, values in found.items():
        np.testing.assert_array_equal(values, whole[name])
