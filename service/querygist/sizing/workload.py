"""Workload of an engine: lengths of prompts and outputs, and how many tokens a pass gives. A JSON file:

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

from querygist import json_files
from querygist.errors import ConfigurationError

LOOKAHEAD = "lookahead (4,6,4)"
"""The decoder that the paper and our GPU engine use."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """A way to decode a sequence: `tokens_per_pass` go in, `logit_rows` of them get logits.

    `emitted`: weights (counts or probabilities) of a pass giving 1, 2, 3, ... tokens; `source`: where they are from.
    """

    name: str
    tokens_per_pass: int
    logit_rows: int
    emitted: tuple[float, ...]
    source: str = ""

    def __post_init__(self) -> None:
        if not sum(self.emitted) > 0 or min(self.emitted) < 0 or not 1 <= self.logit_rows <= self.tokens_per_pass:
            raise ConfigurationError(
                f"The decoder {self.name!r} cannot be: `emitted` {self.emitted} must be weights that are not all 0, "
                f"and `logit_rows` {self.logit_rows} between 1 and `tokens_per_pass` {self.tokens_per_pass}."
            )

    @property
    def compression(self) -> float:
        """S: tokens given by a decoding pass, on average (the prompt's pass is not counted)."""
        return sum(count * weight for count, weight in enumerate(self.emitted, 1)) / sum(self.emitted)


PLAIN = Decoder("plain", 1, 1, (1.0,), "By definition")


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
        return json_files.load(cls, path, "workload")

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        json_files.save(path, self)
