"""Check of what a TensorRT-LLM engine was built for, as its server's configuration says, against what is expected.

A TensorRT-LLM engine is bound to one model, one lookahead configuration and one context; none of them shows in the
tensors it serves. `querygist engine build` writes them down beside the engine and, as the parameter PARAMETER,
into the config.pbtxt it is served with (service/querygist/trtllm/engine_manifest.py).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from querygist.engines.base import Identity
from querygist.engines.lookahead import Lookahead

BACKEND = "tensorrtllm"
"""The backend in config.pbtxt that loads such engines."""

PARAMETER = "querygist_engine_manifest"
"""The parameter in config.pbtxt that holds the engine's manifest, as JSON."""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The part of an engine's manifest that requests depend on; lengths in tokens, `lookahead` None: built without."""

    model: Mapping[str, Any]
    lookahead: Lookahead | None
    max_input_len: int
    max_seq_len: int

    @classmethod
    def read(cls, manifest: str) -> "EngineFacts":
        """From the manifest's JSON. Raises KeyError, TypeError or ValueError when it is none."""
        told = json.loads(manifest)
        limits, lookahead = told["limits"], told["lookahead"]
        return cls(
            model=dict(told["model"]),
            lookahead=None if lookahead is None else Lookahead(*map(int, lookahead)),
            max_input_len=int(limits["max_input_len"]),
            max_seq_len=int(limits["max_seq_len"]),
        )

    def differences(self, expected: Identity, configured: tuple[int, int, int] | None) -> list[str]:
        """Return what is wrong with the engine for a gateway that expects this model and a server that decodes so.

        `configured` is (window, n-gram, verification set), None without lookahead. TensorRT-LLM itself wants the
        engine's own configuration (lookaheadDecodingLayer.cpp: maxTokensPerStep == decodingTokens), and its message
        tells two numbers and no names.
        """
        found = differing(self.model, expected)
        served = None if configured is None else Lookahead(*configured)
        if self.lookahead != served:
            found.append(f"the engine is built for {_told(self.lookahead)} and config.pbtxt says {_told(served)}")
        if self.max_input_len < expected.prompt_limit:
            found.append(f"the engine takes {self.max_input_len} tokens of prompt, {expected.prompt_limit} are needed")
        drafts = self.lookahead.max_draft_len if self.lookahead else 0
        needed = expected.prompt_limit + expected.output_limit + drafts
        if self.max_seq_len < needed:
            found.append(
                f"the engine's sequences hold {self.max_seq_len} tokens, {expected.prompt_limit} of prompt, "
                f"{expected.output_limit} of output and {drafts} drafts are {needed}"
            )
        return found


def differing(told: Mapping[str, Any], expected: Identity) -> list[str]:
    """Each field of an identity that is told otherwise than expected; precision is the server's business."""
    mine = asdict(expected)
    return [
        f"{field.name} is {told.get(field.name)!r} there and {mine[field.name]!r} here"
        for field in fields(expected)
        if field.name != "precision" and told.get(field.name) != mine[field.name]
    ]


def _told(lookahead: Lookahead | None) -> str:
    return "no lookahead" if lookahead is None else str(lookahead)
