"""ModelOpt's config.json mended where it is known to be wrong without TensorRT-LLM beside it, and nowhere else.

ModelOpt asks TensorRT-LLM for these fields if it can be imported, and guesses if not. A repair is made only where the
guess is the known one: another value is something new, which the check then names.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from querygist.files import replacing
from training.fp8.expected import expected_config

ABSENT = object()
"""Stands for a field that ModelOpt leaves out."""


@dataclass(frozen=True, slots=True)
class Repair:
    """`found`: what ModelOpt 0.37.0 writes. `why`: what becomes of it in an engine."""

    field: str
    found: Any
    why: str


REPAIRS: Mapping[str, tuple[Repair, ...]] = {
    "llama": (
        Repair("logits_dtype", "float16", "logits rounded to steps of 1/64: ties, and other greedy outputs"),
        Repair("rotary_scaling", ABSENT, "none is the default: said all the same"),
    ),
    "gpt2": (
        Repair("logits_dtype", "float16", "as above"),
        Repair("rotary_scaling", ABSENT, "as above"),
        Repair("position_embedding_type", "rope_gpt_neox", "rotary positions instead of learned ones: fluent nonsense"),
        Repair("hidden_act", "gelu", "the name's first part only"),
        Repair("gpt_variant", ABSENT, "the default today"),
        Repair("q_scaling", ABSENT, "the default today"),
        Repair("apply_query_key_layer_scaling", ABSENT, "the default today"),
    ),
}


def repair(checkpoint: Path, source: Mapping[str, Any]) -> list[str]:
    """Mend config.json in the folder `checkpoint` for the Hugging Face config `source`; the names of mended fields."""
    path = checkpoint / "config.json"
    config = json.loads(path.read_bytes())
    expected = expected_config(source)
    mended = [one.field for one in REPAIRS[source["model_type"]] if config.get(one.field, ABSENT) == one.found]
    config |= {field: expected[field] for field in mended}
    with replacing(path) as partial:
        partial.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return mended
