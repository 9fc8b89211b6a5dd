"""A Llama in thirty lines of numpy, to hold the engine's outputs against."""

import numpy as np

from tests.unit.artifact import tiny

Weights = dict[str, np.ndarray]


def _norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * weight


def _rotate(x: np.ndarray) -> np.ndarray:
    """Rotary positions as Hugging Face has them: the halves of each head against each other. x: (heads, n, size)."""
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[1])[:, None] / 10000.0 ** (np.arange(half) / half)
    cos, sin = np.cos(angles), np.sin(angles)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)


def logits(weights: Weights, ids: list[int]) -> np.ndarray:
    """Next-token logits after `ids`."""
    w = {name: values.astype(np.float64) for name, values in weights.items()}
    x = w["model.embed_tokens.weight"][ids]
    mask = np.triu(np.full((len(ids), len(ids)), -np.inf), 1)
    for layer in range(tiny.LAYERS):

        def of(name: str, layer: int = layer) -> np.ndarray:
            return w[f"model.layers.{layer}.{name}.weight"]

        h = _norm(x, of("input_layernorm"))
        q, k, v = (
            (h @ of(f"self_attn.{name}_proj").T).reshape(len(ids), -1, tiny.HEAD).swapaxes(0, 1) for name in "qkv"
        )
        k, v = (np.repeat(one, tiny.HEADS // tiny.KV_HEADS, axis=0) for one in (k, v))
        scores = _rotate(q) @ _rotate(k).swapaxes(1, 2) / np.sqrt(tiny.HEAD) + mask
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        attended = (shares / shares.sum(-1, keepdims=True)) @ v
        x = x + attended.swapaxes(0, 1).reshape(len(ids), -1) @ of("self_attn.o_proj").T
        h = _norm(x, of("post_attention_layernorm"))
        gate = h @ of("mlp.gate_proj").T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ of("mlp.up_proj").T)) @ of("mlp.down_proj").T
    return _norm(x[-1], w["model.norm.weight"]) @ w["model.embed_tokens.weight"].T


def greedy(weights: Weights, ids: list[int], steps: int) -> list[int]:
    """The `steps` most probable next ids, one after the other."""
    out = list(ids)
    for _ in range(steps):
        out.append(int(logits(weights, out).argmax()))
    return out[len(ids) :]
