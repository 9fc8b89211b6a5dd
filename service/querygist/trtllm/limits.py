"""Requirements of an engine: room for its requests, and kernels for its checkpoint; checked before an hour is spent."""

from dataclasses import dataclass

from querygist.engines.lookahead import Lookahead
from querygist.errors import ConfigurationError
from querygist.trtllm.checkpoint import Checkpoint

FP8_SM = (8, 9)
"""Ada: the first GPUs with FP8 arithmetic (L4, L20, L40S); Hopper is (9, 0)."""

HOPPER = (9, 0)

ROWS = 64
"""Of the speculative XQA kernels' tiles; what they can hold is 64 % (query heads / KV heads) == 0, off Hopper."""


@dataclass(frozen=True, slots=True)
class Limits:
    """trtllm-build's, in tokens and requests; `max_output_len` is ours, the rest of a sequence is for drafts."""

    max_batch_size: int
    max_input_len: int
    max_output_len: int
    max_seq_len: int
    max_num_tokens: int = 4096


def check(
    limits: Limits, lookahead: Lookahead | None, checkpoint: Checkpoint, compute_capability: tuple[int, int]
) -> None:
    """Raise ConfigurationError with everything that cannot work, each with its numbers and what to change."""
    faults = [*_room(limits, lookahead, checkpoint), *_kernels(lookahead, checkpoint, compute_capability)]
    if faults:
        raise ConfigurationError("This engine cannot be built:\n- " + "\n- ".join(faults))


def _room(limits: Limits, lookahead: Lookahead | None, checkpoint: Checkpoint) -> list[str]:
    faults = []
    drafts = lookahead.max_draft_len if lookahead else 0
    sequence = limits.max_input_len + limits.max_output_len + drafts
    if sequence > limits.max_seq_len:
        faults.append(
            f"max_seq_len is {limits.max_seq_len}, and {limits.max_input_len} tokens of prompt, "
            f"{limits.max_output_len} of output and {drafts} drafts are {sequence}: give --max-seq-len {sequence}, "
            "or a smaller --lookahead"
        )
    tokens = limits.max_batch_size * (drafts + 1) + limits.max_input_len
    if tokens > limits.max_num_tokens:
        faults.append(
            f"max_num_tokens is {limits.max_num_tokens}, and a pass may hold {limits.max_batch_size} requests of "
            f"{drafts + 1} tokens and a prompt of {limits.max_input_len}, {tokens} in all: give a smaller --lookahead"
        )
    if limits.max_seq_len > checkpoint.positions:
        faults.append(
            f"max_seq_len is {limits.max_seq_len} and the model knows {checkpoint.positions} positions: give "
            f"--max-seq-len {checkpoint.positions} and a manifest whose context fits into it"
        )
    if checkpoint.vocabulary < checkpoint.identity.vocabulary_size:
        faults.append(
            f"the checkpoint has {checkpoint.vocabulary} tokens and its model's tokenizer "
            f"{checkpoint.identity.vocabulary_size}: export it again"
        )
    return faults


def _kernels(lookahead: Lookahead | None, checkpoint: Checkpoint, capability: tuple[int, int]) -> list[str]:
    faults = []
    if "fp8" in (checkpoint.weights, checkpoint.kv_cache) and capability < FP8_SM:
        faults.append(
            f"the checkpoint is FP8 and this GPU's compute capability is {_text(capability)}: FP8 needs "
            f"{_text(FP8_SM)} (L4, L20, L40S) or newer"
        )
    group, rest = divmod(checkpoint.query_heads, checkpoint.kv_heads)
    if rest or (lookahead and capability != HOPPER and ROWS % group):
        faults.append(
            f"{checkpoint.query_heads} query heads on {checkpoint.kv_heads} KV heads do not suit the kernels that "
            f"verify drafts, which need {ROWS} % (query heads / KV heads) == 0: export the checkpoint with its KV "
            "heads expanded to one a query head"
        )
    return faults


def _text(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))
