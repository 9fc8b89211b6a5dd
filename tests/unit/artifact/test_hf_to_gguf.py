"""A Hugging Face folder -> GGUF."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from querygist.artifact import gguf_llama
from querygist.artifact.hf_to_gguf import convert
from querygist.errors import ArtifactError
from tests.unit.artifact import tiny

GGUF_NAMES = gguf_llama.PROJECTIONS | gguf_llama.NORMS


def test_every_tensor_arrives_with_q_and_k_permuted(tmp_path: Path) -> None:
    convert(tiny.write_folder(tmp_path / "hf", seed=3), tmp_path / "a.gguf")
    found = tiny.tensors(tmp_path / "a.gguf")
    expected = tiny.weights(seed=3)
    assert len(found) == len(expected)
    np.testing.assert_array_equal(found["token_embd.weight"], expected["model.embed_tokens.weight"])
    np.testing.assert_array_equal(found["output_norm.weight"], expected["model.norm.weight"])
    for layer in range(tiny.LAYERS):
        for theirs, ours in GGUF_NAMES.items():
            values = found[f"blk.{layer}.{ours}.weight"]
            if ours in {"attn_q", "attn_k"}:
                values = tiny.hugging_face_order(values, tiny.HEADS if ours == "attn_q" else tiny.KV_HEADS)
            np.testing.assert_array_equal(values, expected[f"model.layers.{layer}.{theirs}.weight"])


def test_the_metadata_is_what_a_reader_needs(tmp_path: Path) -> None:
    folder = tiny.write_folder(
        tmp_path / "hf", rope_theta=None, rope_parameters={"rope_theta": 5e5, "rope_type": "default"}
    )
    convert(folder, tmp_path / "a.gguf")
    read = {key: field.contents() for key, field in gguf.GGUFReader(str(tmp_path / "a.gguf")).fields.items()}
    assert read["general.architecture"] == "llama"
    assert read["llama.rope.freq_base"] == 5e5
    assert (read["llama.attention.head_count"], read["llama.attention.head_count_kv"]) == (4, 2)
    assert (read["llama.context_length"], read["llama.block_count"]) == (tiny.CONTEXT, tiny.LAYERS)
    assert (read["tokenizer.ggml.model"], read["tokenizer.ggml.pre"]) == ("gpt2", "smollm")
    assert read["tokenizer.ggml.eos_token_id"] == tiny.END_ID
    assert read["tokenizer.ggml.tokens"][: len(tiny.SPECIAL)] == tiny.SPECIAL
    assert read["tokenizer.ggml.merges"] == ["t h", "th e"]


def test_shards_and_bf16_make_the_same_model(tmp_path: Path) -> None:
    whole = tiny.write_folder(tmp_path / "whole")
    sharded = tiny.write_folder(tmp_path / "sharded")
    weights = load_file(sharded / "model.safetensors")
    (sharded / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for part, held in parts.items():
        save_file({name: weights[name] for name in held}, sharded / part)
    weight_map = {name: part for part, held in parts.items() for name in held}
    (sharded / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    convert(whole, tmp_path / "whole.gguf")
    convert(sharded, tmp_path / "sharded.gguf")
    one, other = tiny.tensors(tmp_path / "whole.gguf"), tiny.tensors(tmp_path / "sharded.gguf")
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(other[name], values)

    (sharded / "model-2.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"has no model-2\.safetensors"):
        convert(sharded, tmp_path / "again.gguf")


def test_a_head_of_its_own_is_kept(tmp_path: Path) -> None:
    folder = tiny.write_folder(tmp_path / "hf", tie_word_embeddings=False)
    with pytest.raises(ArtifactError, match=r"no tensor for output\.weight"):
        convert(folder, tmp_path / "a.gguf")
    head = np.random.default_rng(0).standard_normal((tiny.VOCABULARY, tiny.HIDDEN)).astype(np.float32)
    save_file(tiny.weights(0) | {"lm_head.weight": head}, folder / "model.safetensors")
    convert(folder, tmp_path / "a.gguf")
    np.testing.assert_array_equal(tiny.tensors(tmp_path / "a.gguf")["output.weight"], head)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "qwen2"}, "model_type is 'qwen2'"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"head_dim": 32}, "head_dim 32"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8}}, "rotary positions of type 'llama3'"),
        ({"num_hidden_layers": 3}, r"no tensor for blk\.2\.attn_k\.weight"),
        ({"num_hidden_layers": 1}, r"'model\.layers\.1\..* does not fit"),
        ({"intermediate_size": 128}, r"of shape \(64, 96\) does not fit .* which has \(64, 128\) there"),
    ],
)
def test_what_is_no_plain_llama_is_refused(tmp_path: Path, config: dict[str, object], message: str) -> None:
    folder = tiny.write_folder(tmp_path / "hf", **config)
    with pytest.raises(ArtifactError, match=message):
        convert(folder, tmp_path / "a.gguf")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = tiny.write_folder(tmp_path / "hf")
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        convert(folder, tmp_path / "a.gguf")


def test_a_vocabulary_that_is_not_byte_level_bpe_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_folder(tmp_path / "hf")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["byte_fallback"] = True
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ArtifactError, match="not a byte-level BPE tokenizer"):
        convert(folder, tmp_path / "a.gguf")
