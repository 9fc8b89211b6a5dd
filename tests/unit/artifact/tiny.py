"""A tiny random Llama in every form the project reads: real formats, a few hundred kilobytes."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from querygist.artifact.lora import PROJECTIONS

NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, HEAD = 64, 96, 2, 4, 2, 16
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
END_ID = 2
CONTEXT = 2048
MEMBER = "tiny_llama/tiny.gguf"

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "max_position_embeddings": CONTEXT,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "rope_theta": 10000.0,
    "bos_token_id": 1,
    "eos_token_id": END_ID,
}

SHAPES = {
    "self_attn.q_proj": (HEADS * HEAD, HIDDEN),
    "self_attn.k_proj": (KV_HEADS * HEAD, HIDDEN),
    "self_attn.v_proj": (KV_HEADS * HEAD, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HEADS * HEAD),
    "mlp.gate_proj": (INNER, HIDDEN),
    "mlp.up_proj": (INNER, HIDDEN),
    "mlp.down_proj": (HIDDEN, INNER),
}


def tokenizer() -> Tokenizer:
    """Byte-level BPE with two merges, digits one by one: the shipped model's kind."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*SPECIAL, *alphabet, "th", "the"]
    made = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=[("t", "h"), ("th", "e")]))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return made


VOCABULARY = tokenizer().get_vocab_size()


def weights(seed: int) -> dict[str, np.ndarray]:
    """Random weights under Hugging Face's names."""
    random = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.1).astype(np.float32)

    made = {"model.embed_tokens.weight": draw(VOCABULARY, HIDDEN), "model.norm.weight": 1 + draw(HIDDEN)}
    for layer in range(LAYERS):
        for name, shape in SHAPES.items():
            made[f"model.layers.{layer}.{name}.weight"] = draw(*shape)
        for name in ("input_layernorm", "post_attention_layernorm"):
            made[f"model.layers.{layer}.{name}.weight"] = 1 + draw(HIDDEN)
    return made


def write_folder(folder: Path, seed: int = 0, **config: object) -> Path:
    """A Hugging Face folder of the model; `config` changes config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": VOCABULARY} | config))
    save_file(weights(seed), folder / "model.safetensors")
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def write_gguf(target: Path, seed: int = 0) -> Path:
    """The model as a GGUF in F32, q and k rows in llama.cpp's order."""
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(CONFIG["rope_theta"])
    writer.add_layer_norm_rms_eps(CONFIG["rms_norm_eps"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(VOCABULARY)
    writer.add_rope_dimension_count(HEAD)
    vocabulary = json.loads(tokenizer().to_str())["model"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(sorted(vocabulary["vocab"], key=vocabulary["vocab"].get))
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if id_ < len(SPECIAL) else normal for id_ in range(VOCABULARY)])
    writer.add_token_merges([" ".join(merge) for merge in vocabulary["merges"]])
    writer.add_eos_token_id(END_ID)
    writer.add_bos_token_id(CONFIG["bos_token_id"])
    for name, values in weights(seed).items():
        ours = gguf_name(name)
        heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(ours.split(".")[-2])
        writer.add_tensor(ours, gguf_order(values, heads) if heads else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def gguf_name(name: str) -> str:
    """A tensor's name in a GGUF, by Hugging Face's."""
    stem = name.removesuffix(".weight")
    if stem.startswith("model.layers."):
        _, _, layer, rest = stem.split(".", 3)
        return f"blk.{layer}.{(PROJECTIONS | NORMS)[rest]}.weight"
    return {"model.embed_tokens": "token_embd.weight", "model.norm": "output_norm.weight"}[stem]


def write_wheel(gguf_file: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(gguf_file, MEMBER)
        archive.writestr("tiny_llama/__init__.py", "")
        archive.writestr(
            "tiny_llama-0.1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-llama\nVersion: 0.1.0\n"
        )
        archive.writestr("tiny_llama-0.1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")


def tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a GGUF as fp32, rows first."""
    return {
        tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type).reshape([int(s) for s in reversed(tensor.shape)])
        for tensor in gguf.GGUFReader(str(path)).tensors
    }


def _halves(rows: int, heads: int) -> list[int]:
    """For each q or k row of a GGUF, Hugging Face's: row 2i+j of a head comes from half j, row i."""
    size = rows // heads
    return [head * size + (row % 2) * (size // 2) + row // 2 for head in range(heads) for row in range(size)]


def gguf_order(rows: np.ndarray, heads: int) -> np.ndarray:
    """q or k rows in Hugging Face's order, in the GGUF's."""
    return rows[_halves(len(rows), heads)]


def hugging_face_order(rows: np.ndarray, heads: int) -> np.ndarray:
    """q or k rows of a GGUF, back in Hugging Face's order."""
    back = np.empty_like(rows)
    back[_halves(len(rows), heads)] = rows
    return back


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_adapter(path: Path, *, rank: int = 4, seed: int = 1, scale: float = 0.1) -> dict[str, np.ndarray]:
    """A random LoRA on every linear layer, in peft's layout."""
    random = np.random.default_rng(seed)
    made = {}
    for layer in range(LAYERS):
        for name, (rows, columns) in SHAPES.items():
            prefix = f"base_model.model.model.layers.{layer}.{name}"
            made[f"{prefix}.lora_A.weight"] = (random.standard_normal((rank, columns)) * scale).astype(np.float32)
            made[f"{prefix}.lora_B.weight"] = (random.standard_normal((rows, rank)) * scale).astype(np.float32)
    save_file(made, path)
    return made
