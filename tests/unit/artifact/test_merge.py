"""Base + LoRA -> GGUF: the arithmetic against a naive version of it, and every way an adapter can be wrong."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

from querygist.artifact import lora
from querygist.artifact.lora import read_tensors
from querygist.artifact.manifest import AdapterEntry
from querygist.artifact.merge import STORED_AS, Type, merge, permute, reader
from querygist.errors import ArtifactError
from tests.unit.artifact import tiny


def entry(rank: int = 4, alpha: float = 8, **more: bool) -> AdapterEntry:
    return AdapterEntry(file="adapter.safetensors", sha256="0" * 64, rank=rank, alpha=alpha, **more)


def merged(base: Path, adapter: lora.Lora | None, target: Path, stored_as: object = Type.F32) -> dict[str, np.ndarray]:
    merge(reader(base), adapter, target, stored_as)
    return tiny.tensors(target)


def hugging_face_view(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A GGUF's tensors, q and k back in Hugging Face's row order."""
    heads = {"attn_q": tiny.HEADS, "attn_k": tiny.KV_HEADS}
    return {
        name: tiny.hugging_face_order(rows, heads[kind]) if (kind := name.split(".")[-2]) in heads else rows
        for name, rows in tensors.items()
    }


@pytest.mark.parametrize("rslora", [False, True])
def test_the_merge_is_w_plus_scale_b_a(tiny_gguf: Path, tmp_path: Path, rslora: bool) -> None:
    adapter = tiny.write_adapter(tmp_path / "adapter.safetensors")
    found = hugging_face_view(merged(tiny_gguf, lora.load(tmp_path, entry(rslora=rslora)), tmp_path / "merged.gguf"))
    scale = 8 / (2 if rslora else 4)
    base = tiny.weights(seed=0)
    for layer in range(tiny.LAYERS):
        for theirs, ours in lora.PROJECTIONS.items():
            prefix = f"base_model.model.model.layers.{layer}.{theirs}"
            delta = scale * adapter[f"{prefix}.lora_B.weight"] @ adapter[f"{prefix}.lora_A.weight"]
            expected = base[f"model.layers.{layer}.{theirs}.weight"] + delta
            np.testing.assert_allclose(found[f"blk.{layer}.{ours}.weight"], expected, rtol=0, atol=1e-6)
            assert np.abs(delta).max() > 0.01
    np.testing.assert_array_equal(found["token_embd.weight"], base["model.embed_tokens.weight"])
    np.testing.assert_array_equal(found["output_norm.weight"], base["model.norm.weight"])


@pytest.mark.parametrize("stored_as", [Type.F32, Type.F16, Type.Q8_0])
def test_no_adapter_and_a_zero_adapter_leave_the_base(tiny_gguf: Path, tmp_path: Path, stored_as: object) -> None:
    tiny.write_adapter(tmp_path / "adapter.safetensors", scale=0)
    merged(tiny_gguf, None, tmp_path / "none.gguf", stored_as)
    merged(tiny_gguf, lora.load(tmp_path, entry()), tmp_path / "zero.gguf", stored_as)
    assert (tmp_path / "none.gguf").read_bytes() == (tmp_path / "zero.gguf").read_bytes()


def test_tensors_that_already_have_the_type_keep_their_bytes(tiny_gguf: Path, tmp_path: Path) -> None:
    merged(tiny_gguf, None, tmp_path / "once.gguf", Type.Q8_0)
    merged(tmp_path / "once.gguf", None, tmp_path / "twice.gguf", Type.Q8_0)
    assert (tmp_path / "once.gguf").read_bytes() == (tmp_path / "twice.gguf").read_bytes()


@pytest.mark.parametrize(("precision", "bits"), [("int8", 7), ("fp32", 11)])
def test_matrices_are_rounded_and_vectors_stored_exactly(
    tiny_gguf: Path, tmp_path: Path, precision: str, bits: int
) -> None:
    exact = tiny.tensors(tiny_gguf)
    stored = merged(tiny_gguf, None, tmp_path / "a.gguf", STORED_AS[precision])
    assert stored.keys() == exact.keys()
    for name, values in exact.items():
        if values.ndim == 1:
            np.testing.assert_array_equal(stored[name], values)
        else:
            error = np.abs(stored[name] - values).max()
            assert 0 < error <= np.abs(values).max() * 2.0**-bits


def test_the_metadata_survives(tiny_gguf: Path, tmp_path: Path) -> None:
    merge(reader(tiny_gguf), None, tmp_path / "a.gguf", Type.Q8_0)
    before, after = (
        {key: field.contents() for key, field in gguf.GGUFReader(str(path)).fields.items() if "." in key}
        for path in (tiny_gguf, tmp_path / "a.gguf")
    )
    assert after.pop("general.file_type") == gguf.LlamaFileType.MOSTLY_Q8_0
    before.pop("general.file_type")
    assert after == before


def test_permutation_follows_llama_cpp() -> None:
    rows = np.arange(8, dtype=np.float32)  # two heads of four rows: halves (0 1)(2 3) become neighbours 0 2 1 3
    assert permute(rows, 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


A, B = (
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
    "base_model.model.model.layers.0.{}.lora_B.weight",
)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"base_model.model.lm_head.lora_A.weight": zeros(4, 64)}, "'base_model.model.lm_head.lora_A.weight'"),
        ({A.replace("q_proj", "z_proj"): zeros(4, 64)}, "self_attn.z_proj.lora_A.weight', which is no LoRA"),
        ({A.replace("weight", "bias"): zeros(4, 64)}, "lora_A.bias', which is no LoRA"),
        ({A: zeros(8, 64)}, r"lora_A.weight' has the shape \(8, 64\).*manifest's rank 4"),
        ({A: zeros(4)}, r"has the shape \(4,\)"),
        ({A: zeros(4, 64)}, "only lora_A for blk.0.attn_q.weight"),
    ],
)
def test_a_tensor_that_cannot_be_merged_is_named(tmp_path: Path, tensors: dict[str, np.ndarray], message: str) -> None:
    save_file(tensors, tmp_path / "adapter.safetensors")
    with pytest.raises(ArtifactError, match=message):
        lora.load(tmp_path, entry())


@pytest.mark.parametrize(
    ("layer", "columns", "message"),
    [(0, 32, r"shape \(64, 32\) to blk.0.attn_q.weight.*base model has \(64, 64\)"), (7, 64, "no such tensor")],
)
def test_an_adapter_for_another_base_is_refused(
    tiny_gguf: Path, tmp_path: Path, layer: int, columns: int, message: str
) -> None:
    down = A.replace("layers.0", f"layers.{layer}")
    save_file({down: zeros(4, columns), down.replace("_A", "_B"): zeros(64, 4)}, tmp_path / "adapter.safetensors")
    with pytest.raises(ArtifactError, match=message):
        merge(reader(tiny_gguf), lora.load(tmp_path, entry()), tmp_path / "a.gguf", Type.F32)


@pytest.mark.parametrize(
    ("option", "value"),
    [("r", 8), ("lora_alpha", 16), ("use_rslora", True), ("use_dora", True), ("rank_pattern", {"q_proj": 2})],
)
def test_pefts_configuration_must_agree_with_the_manifest(tmp_path: Path, option: str, value: object) -> None:
    tiny.write_adapter(tmp_path / "adapter.safetensors")
    agreeing = {"r": 4, "lora_alpha": 8, "use_rslora": False, "use_dora": False, "rank_pattern": {}, "bias": "none"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(agreeing))
    assert len(lora.load(tmp_path, entry()).pairs) == tiny.LAYERS * len(tiny.SHAPES)
    (tmp_path / "adapter_config.json").write_text(json.dumps(agreeing | {option: value}))
    with pytest.raises(ArtifactError, match=f"says {option} = "):
        lora.load(tmp_path, entry())


def test_rows_that_no_block_fits_are_refused_with_the_way_out(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", "llama")
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((4, 40), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ArtifactError, match=r"attn_q.weight has rows of 40 values.*QUERYGIST_PRECISION=fp32"):
        merge(reader(tmp_path / "odd.gguf"), None, tmp_path / "a.gguf", Type.Q8_0)


def raw_safetensors(path: Path, dtype: str, shape: list[int], data: bytes) -> None:
    header = json.dumps({"t": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)


def test_every_float_type_is_read_as_fp32(tmp_path: Path) -> None:
    values = np.array([[1.5, -2.0], [0.15625, 3.0]], np.float32)  # exact in every one of them
    upper_halves = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    stored = {
        "F32": values.tobytes(), "F16": values.astype("<f2").tobytes(), "F64": values.astype("<f8").tobytes(),
        "BF16": upper_halves,
    }  # fmt: skip
    for dtype, data in stored.items():
        raw_safetensors(tmp_path / dtype, dtype, [2, 2], data)
        [(name, read)] = read_tensors(tmp_path / dtype)
        assert name == "t"
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, values)


def test_non_float_tensors_and_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    raw_safetensors(path, "I64", [1], bytes(8))
    with pytest.raises(ArtifactError, match="'t' is of type I64"):
        list(read_tensors(path))
    raw_safetensors(path, "F32", [4], bytes(16))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ArtifactError, match="cannot be read as safetensors"):
        list(read_tensors(path))
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(ArtifactError, match="cannot be read as safetensors"):
        list(read_tensors(path))
