"""What the engine is asked for: lengths of prompts and outputs, and how many tokens a pass gives. A JSON file:

    {"source": "where all this is from",
     "requests": [[prompt tokens, output tokens], ...],
     "decoders": [{"name": "lookahead (4,6,4)", "tokens_per_pass": 40, "logit_rows": 40,
                   "emitted": [120, 31, 12, 9, 8, 90], "source": "..."}, ...]}

A request's two lengths stay together. The output counts the end id, too. `emitted[i]`: how many decoding passes (all
but the prompt's own) gave i + 1 tokens; any scale. The decoder "plain" need not be in the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Self

from loadtest import stored
from loadtest.inflight import PLAIN, Decoder
from service.errors import ConfigurationError

LOOKAHEAD = "lookahead (4,6,4)"
"""The decoder that the paper and our GPU engine use."""

STUDENT = Path(__file__).parent / "workloads" / "student.json"
"""Measured on the test rows with the student that was shipped then; its `source` says which."""


@dataclass(frozen=True, slots=True)
class Workload:
    """See the module. Raises ConfigurationError without requests, or with an empty one."""

    source: str
    requests: tuple[tuple[int, int], ...]
    decoders: tuple[Decoder, ...] = ()

    def __post_init__(self) -> None:
        if not self.requests or min(min(lengths) for lengths in self.requests) < 1:
            raise ConfigurationError("A workload needs requests, each with at least one token of prompt and of output.")

    @property
    def by_name(self) -> Mapping[str, Decoder]:
        """The decoders, "plain" first."""
        return {decoder.name: decoder for decoder in (PLAIN, *self.decoders)}

    @property
    def mean_prompt(self) -> float:
        """Tokens."""
        return mean(prompt for prompt, _ in self.requests)

    @property
    def mean_output(self) -> float:
        """Tokens, the end id included."""
        return mean(output for _, output in self.requests)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a workload. Raises ConfigurationError naming the file."""
        return stored.load(cls, path, "workload")

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        stored.save(path, self)
