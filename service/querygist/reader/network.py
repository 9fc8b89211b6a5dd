"""The reader as an OpenVINO model, built from its two files of weights (training/reader/quantize.py).

A BERT encoder (post-norm, erf GELU) with two heads. Widths and layers are those of the tensors. Matrices stay int8 in
the graph, each behind a conversion and the scale of its rows, which the CPU plugin runs as a compressed product; or
they are expanded to float32, of which it keeps a copy in its own precision.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops
from safetensors.numpy import load_file

HEAD_SIZE = 32
_EPSILON = 1e-12
_MASKED = -1e9
_EMBEDDINGS = "encoder.embeddings."


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows of the three tables of embeddings. The graph does not check an index into them."""

    vocabulary: int
    types: int
    positions: int


def build(files: Iterable[Path], *, expanded: bool = False) -> tuple[openvino.Model, Sizes]:
    """Return the model and its sizes. Raises OSError, SafetensorError or KeyError for files that are no reader's.

    In, int32: `ids`, `types`, `mask` [rows, length]; `places` [rows, units]. Out, float32: `units` (logits) and
    `similarities` [rows, units]; `page` (logits) [rows].
    """
    stored: dict[str, NDArray[Any]] = {}
    for file in files:
        stored |= load_file(file)
    tables = ("word", "token_type", "position")
    sizes = Sizes(*(len(stored[f"{_EMBEDDINGS}{name}_embeddings.weight"]) for name in tables))
    return _Builder(stored, expanded=expanded).model(), sizes


class _Builder:
    """Makes the graph of named tensors."""

    def __init__(self, stored: Mapping[str, NDArray[Any]], *, expanded: bool) -> None:
        self._stored = stored
        self._expanded = expanded

    def model(self) -> openvino.Model:
        """Return the whole model, with its inputs and outputs named."""
        inputs = [ops.parameter([-1, -1], np.int32, name=name) for name in ("ids", "types", "mask", "places")]
        ids, types, mask, places = inputs
        states = self._embedded(ids, types)
        shown = ops.unsqueeze(ops.convert(mask, "f32"), _integers(1, 2))
        bias = ops.multiply(ops.subtract(_float(1), shown), _float(_MASKED))  # [rows, 1, 1, length]
        layer = 0
        while f"encoder.encoder.layer.{layer}.output.dense.weight" in self._stored:
            states = self._layer(f"encoder.encoder.layer.{layer}.", states, bias)
            layer += 1
        ends = ops.gather(states, places, _integer(1), batch_dims=1)
        heads = {
            "units": self._head("unit_head", 0, ends),
            "similarities": self._head("unit_head", 1, ends),
            "page": self._head("page_head", 0, ops.gather(states, _integer(0), _integer(1))),
        }
        results = []
        for name, value in heads.items():
            result = ops.result(value, name=name)
            result.output(0).get_tensor().set_names({name})
            results.append(result)
        return openvino.Model(results, inputs, "reader")

    def _embedded(self, ids: Any, types: Any) -> Any:
        """Sums of three embeddings, normalized: [rows, length, width]."""
        length = ops.gather(ops.shape_of(ids), _integer(1), _integer(0))
        places = ops.range(_integer(0, np.int64), length, _integer(1, np.int64), output_type="i64")
        typed = ops.add(self._rows("word_embeddings", ids), self._rows("token_type_embeddings", types))
        placed = ops.add(typed, self._rows("position_embeddings", places))
        return self._normalized(f"{_EMBEDDINGS}LayerNorm", placed)

    def _rows(self, name: str, indices: Any) -> Any:
        """Rows of a table, made floats behind the look-up, so that the table stays int8."""
        table = self._stored[f"{_EMBEDDINGS}{name}.weight"]
        scales = self._stored[f"{_EMBEDDINGS}{name}.weight.scale"][:, None]
        rows, own = (ops.gather(ops.constant(of), indices, _integer(0)) for of in (table, scales))
        return ops.multiply(ops.convert(rows, "f32"), own)

    def _layer(self, name: str, states: Any, bias: Any) -> Any:
        """Return the states [rows, length, width] behind one layer."""
        mixed = ops.add(states, self._attention(name, states, bias))
        attended = self._normalized(f"{name}attention.output.LayerNorm", mixed)
        wide = ops.gelu(self._linear(f"{name}intermediate.dense", attended), "erf")
        narrow = self._linear(f"{name}output.dense", wide)
        return self._normalized(f"{name}output.LayerNorm", ops.add(attended, narrow))

    def _attention(self, name: str, states: Any, bias: Any) -> Any:
        """Attention in plain products, which the CPU plugin fuses; the factor before the softmax is in the query's
        weights.
        """
        query = _heads(self._linear(f"{name}attention.self.query", states, factor=HEAD_SIZE**-0.5))
        key, value = (_heads(self._linear(f"{name}attention.self.{part}", states)) for part in ("key", "value"))
        weights = ops.softmax(ops.add(ops.matmul(query, key, False, True), bias), -1)
        mixed = ops.transpose(ops.matmul(weights, value, False, False), _integers(0, 2, 1, 3))
        joined = ops.reshape(mixed, _integers(0, 0, -1), special_zero=True)
        return self._linear(f"{name}attention.output.dense", joined)

    def _linear(self, name: str, values: Any, factor: float = 1.0) -> Any:
        """Return factor * (values W' + b)."""
        matrix, scale, bias = (self._stored[f"{name}.{part}"] for part in ("weight", "weight.scale", "bias"))
        scale, bias = np.float32(factor) * scale[:, None], np.float32(factor) * bias
        if self._expanded:
            weight = ops.constant(matrix * scale)
        else:
            weight = ops.multiply(ops.convert(ops.constant(matrix), "f32"), ops.constant(scale))
        return ops.add(ops.matmul(values, weight, False, True), ops.constant(bias))

    def _normalized(self, name: str, values: Any) -> Any:
        weight, bias = (ops.constant(self._stored[f"{name}.{part}"]) for part in ("weight", "bias"))
        scaled = ops.mvn(values, _integers(-1), True, _EPSILON, "inside_sqrt")
        return ops.add(ops.multiply(scaled, weight), bias)

    def _head(self, name: str, row: int, values: Any) -> Any:
        """One output of a head: a sum of products, because a matrix product is made in bfloat16 where the others are,
        which makes equals of logits.
        """
        weight, bias = self._stored[f"{name}.weight"][row], self._stored[f"{name}.bias"][row]
        return ops.add(ops.reduce_sum(ops.multiply(values, ops.constant(weight)), _integers(-1)), _float(bias))


def _heads(values: Any) -> Any:
    """Return [rows, heads, length, HEAD_SIZE] of [rows, length, width]."""
    apart = ops.reshape(values, _integers(0, 0, -1, HEAD_SIZE), special_zero=True)
    return ops.transpose(apart, _integers(0, 2, 1, 3))


def _integer(value: int, dtype: Any = np.int32) -> Any:
    return ops.constant(np.array(value, dtype))


def _integers(*values: int) -> Any:
    return ops.constant(np.array(values, np.int64))


def _float(value: float) -> Any:
    return ops.constant(np.float32(value))
