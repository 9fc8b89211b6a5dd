"""Options of the OpenVINO engine; apart from the scheduler, so that the gateway need not import OpenVINO."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """`candidates` 0 decodes one token a pass; `threads` 0 uses every core; `max_batch` counts requests.

    `pass_tokens` bounds one forward pass: longer prompts are prefilled in pieces of this many tokens, so that requests
    already decoding wait for one piece and not for whole prompts. `prefix_caching` keeps the keys and values of prompts
    for others that begin the same; the time to the first token then tells that there was such a prompt.
    """

    model: Path
    end_id: int
    precision: str
    threads: int
    candidates: int
    ngram: int
    max_batch: int
    pass_tokens: int
    kv_cache_gb: int
    prefix_caching: bool
