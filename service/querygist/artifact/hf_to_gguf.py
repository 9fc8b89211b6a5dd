"""A Hugging Face folder of a Llama model -> GGUF, as llama.cpp's convert_hf_to_gguf.py does it, in numpy."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from querygist.artifact import gguf_llama
from querygist.artifact.gguf_llama import Floats
from querygist.artifact.hf_folder import TOKENIZER, LlamaConfig, read_config, weight_files
from querygist.artifact.tensors import read_tensors
from querygist.errors import ArtifactError


def convert(folder: Path, target: Path) -> None:
    """Write the folder's model to `target` in F32, one tensor in memory at a time.

    Raises ArtifactError for another architecture, and for tensors that are missing, unknown or of the wrong shape.
    """
    config, files = read_config(folder), weight_files(folder)
    shapes = _expected_shapes(config)
    writer = gguf.GGUFWriter(target, "llama")
    try:
        _write_metadata(writer, config, folder)
        order = [name for name, _ in _tensors(files, config, shapes)]
        if missing := sorted(set(shapes) - set(order)):
            raise ArtifactError(f"{folder} has no tensor for {missing[0]} ({len(missing)} are missing).")
        for name in order:
            size = int(np.prod(shapes[name])) * np.dtype(np.float32).itemsize
            writer.add_tensor_info(name, shapes[name], np.dtype(np.float32), size)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for _, values in _tensors(files, config, shapes):
            writer.write_tensor_data(values)
    finally:
        writer.close()


def _expected_shapes(config: LlamaConfig) -> dict[str, tuple[int, ...]]:
    """Every tensor of the GGUF and its shape, rows (output features) first."""
    hidden, inner = config.hidden_size, config.intermediate_size
    kv = hidden // config.num_attention_heads * config.kv_heads
    block: dict[str, tuple[int, ...]] = {
        "attn_norm": (hidden,),
        "ffn_norm": (hidden,),
        "attn_q": (hidden, hidden),
        "attn_k": (kv, hidden),
        "attn_v": (kv, hidden),
        "attn_output": (hidden, hidden),
        "ffn_gate": (inner, hidden),
        "ffn_up": (inner, hidden),
        "ffn_down": (hidden, inner),
    }
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (config.vocab_size, hidden),
        "output_norm.weight": (hidden,),
    }
    if not config.tie_word_embeddings:
        shapes["output.weight"] = (config.vocab_size, hidden)
    for layer in range(config.num_hidden_layers):
        shapes |= {f"blk.{layer}.{name}.weight": shape for name, shape in block.items()}
    return shapes


def _tensors(
    files: list[Path], config: LlamaConfig, shapes: dict[str, tuple[int, ...]]
) -> Iterator[tuple[str, Floats]]:
    """GGUF names and values, in the order of the files."""
    for path in files:
        for theirs, values in read_tensors(path):
            if theirs.endswith("rotary_emb.inv_freq") or (theirs == "lm_head.weight" and config.tie_word_embeddings):
                continue  # derived from the configuration, or the same as the embedding
            name = _gguf_name(theirs)
            if name is None or shapes.get(name) != values.shape:
                raise ArtifactError(
                    f"{path}: tensor {theirs!r} of shape {values.shape} does not fit a Llama model of this "
                    f"configuration{f', which has {shapes[name]} there' if name in shapes else ''}."
                )
            yield (
                name,
                gguf_llama.to_gguf_order(name, values, heads=config.num_attention_heads, kv_heads=config.kv_heads),
            )


def _gguf_name(theirs: str) -> str | None:
    stem, dot, kind = theirs.rpartition(".")
    if not dot or kind != "weight":
        return None
    if stem in gguf_llama.TOP:
        return f"{gguf_llama.TOP[stem]}.weight"
    match stem.split(".", 3):
        case ["model", "layers", layer, rest] if (
            layer.isdecimal() and rest in gguf_llama.PROJECTIONS | gguf_llama.NORMS
        ):
            return f"blk.{layer}.{(gguf_llama.PROJECTIONS | gguf_llama.NORMS)[rest]}.weight"
    return None


def _write_metadata(writer: Any, config: LlamaConfig, folder: Path) -> None:
    head_size = config.hidden_size // config.num_attention_heads
    writer.add_name(folder.name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_rope_freq_base(config.theta)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(head_size)
    _write_vocabulary(writer, config, folder / TOKENIZER)


def _write_vocabulary(writer: Any, config: LlamaConfig, path: Path) -> None:
    """Tokens and merges as the GGUF reader wants them; the gateway itself uses tokenizer.json as it is."""
    try:
        tokenizer = json.loads(path.read_bytes())
        model, added = tokenizer["model"], {token["id"]: token for token in tokenizer["added_tokens"]}
        by_id = {id_: token for token, id_ in model["vocab"].items()}
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{path} is not a byte-level BPE tokenizer ({error!r}), the only kind supported."
        ) from error
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise ArtifactError(f"{path} is not a byte-level BPE tokenizer, the only kind supported.")
    tokens, types = [], []
    for id_ in range(config.vocab_size):
        special = added.get(id_)
        tokens.append(special["content"] if special else by_id.get(id_, f"[PAD{id_}]"))
        if special:
            types.append(gguf.TokenType.CONTROL if special["special"] else gguf.TokenType.USER_DEFINED)
        else:
            types.append(gguf.TokenType.NORMAL if id_ in by_id else gguf.TokenType.UNUSED)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_pre_tokenizer_name(tokenizer.get("pre_tokenizer")))
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(config.end_id)
    if config.bos_token_id is not None:
        writer.add_bos_token_id(config.bos_token_id)
    writer.add_add_bos_token(False)


def _pre_tokenizer_name(pre_tokenizer: Any) -> str:
    parts = (pre_tokenizer or {}).get("pretokenizers", [])
    return "smollm" if [part.get("type") for part in parts] == ["Digits", "ByteLevel"] else "gpt-2"
