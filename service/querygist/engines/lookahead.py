"""The lookahead configuration (W, N, G) of a server and of a request, with TensorRT-LLM's rules.

After LookaheadDecodingConfig (cpp/tensorrt_llm/executor/lookaheadDecodingConfig.cpp) and
getLookaheadDecodingFromTensors (triton_backend/inflight_batcher_llm/src/utils.cc) of TensorRT-LLM.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Lookahead:
    """Window W, n-gram size N, verification set size G; (1, 1, 0) is plain decoding. Raises ValueError if not legal."""

    window: int
    ngram: int
    verification_set: int

    INPUTS: ClassVar = ("lookahead_window_size", "lookahead_ngram_size", "lookahead_verification_set_size")

    def __post_init__(self) -> None:
        legal = self.ngram >= 1 and self.window >= 1 and self.verification_set >= 0
        if self.ngram == 1:
            legal = self.window == 1 and self.verification_set == 0
        if not legal:
            raise ValueError(
                f"The lookahead configuration {self} is not legal: window and n-gram size start at 1, the verification "
                "set at 0, and an n-gram size of 1 goes with (1, 1, 0) only."
            )

    def __str__(self) -> str:
        values = (self.window, self.ngram, self.verification_set)
        return ", ".join(f"{name} {value}" for name, value in zip(self.INPUTS, values, strict=True))

    @property
    def max_draft_len(self) -> int:
        """Draft tokens of one pass: the window's N-2 first ones, its branches, and G candidates of N-1 tokens each."""
        if self.ngram == 1:
            return 0
        return self.ngram - 2 + (self.window - 1 + self.verification_set) * (self.ngram - 1)

    @property
    def candidates(self) -> int:
        """Tokens of one verified n-gram: what a pass can gain. The CPU model looks them up in the prompt."""
        return self.ngram - 1

    def for_request(self, given: Mapping[str, int]) -> "Lookahead":
        """The configuration of one request with the lookahead inputs `given`; without a window, the server's own.

        Raises ValueError where one of the other two is missing, or one is larger than the server's.
        """
        if "lookahead_window_size" not in given:
            return self
        for name in self.INPUTS:
            if name not in given:
                raise ValueError(f"Failed to extract {name}")
        asked = Lookahead(*(given[name] for name in self.INPUTS))
        if asked.window > self.window or asked.ngram > self.ngram or asked.verification_set > self.verification_set:
            raise ValueError(f"{asked} exceeds what the server was started with: {self}.")
        return asked
