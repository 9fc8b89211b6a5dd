"""Read a request's input tensors into what the scheduler is asked for, as TensorRT-LLM 1.2.1 reads them.

Semantics after triton_backend/inflight_batcher_llm/src/utils.cc (createRequestsFromInputTensors) and
cpp/tensorrt_llm/batch_manager/llmRequest.cpp (LlmRequest::validate) of TensorRT-LLM.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from querygist.engines.lookahead import Lookahead
from querygist.engines.openvino.decoding_pipeline import Decoding
from querygist.errors import QuerygistError

Tensors = Mapping[str, NDArray[Any]]

MAX_SEQ_LEN = 1152
"""Longest sequence of TensorRT-LLM's engine: 896 tokens of prompt, 192 of output, 39 drafts, rounded up."""

NEUTRAL = {
    "beam_width": (1,),
    "num_return_sequences": (1,),
    "runtime_top_k": (0, 1),
    "repetition_penalty": (1.0,),
    "presence_penalty": (0.0,),
    "frequency_penalty": (0.0,),
    "return_log_probs": (False,),
    "return_context_logits": (False,),
    "return_generation_logits": (False,),
}
"""Inputs that this model honours only where they ask for nothing, and the values that do."""

WITHOUT_EFFECT = {
    "input_lengths",
    "pad_id",
    "temperature",
    "runtime_top_p",
    "runtime_top_p_min",
    "runtime_top_p_decay",
    "runtime_top_p_reset_ids",
    "seed",
    "len_penalty",
    "early_stopping",
    "beam_search_diversity_rate",
}
"""Inputs that change nothing in greedy decoding with one beam. (TensorRT-LLM reads lengths only to split a batch.)"""

HONOURED = {
    "input_ids",
    "request_output_len",
    "end_id",
    "min_tokens",
    "stop_words_list",
    "streaming",
    "stop",
    "exclude_input_in_output",
    "return_perf_metrics",
    "return_num_input_tokens",
    "return_num_output_tokens",
    "lookahead_window_size",
    "lookahead_ngram_size",
    "lookahead_verification_set_size",
}


class InputError(QuerygistError):
    """A request this model cannot serve; the message names the input."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the engine, in tokens; `sequence` binds prompt, output and the drafts of one pass together."""

    prompt: int
    sequence: int
    vocabulary: int


@dataclass(frozen=True, slots=True)
class Ask:
    """One prompt and how to answer it."""

    ids: tuple[int, ...]
    decoding: Decoding
    streaming: bool
    exclude_input: bool
    perf_metrics: bool
    count_input: bool
    count_output: bool


def asks(tensors: Tensors, *, lookahead: Lookahead, limits: Limits, exclude_input: bool) -> Iterator[Ask]:
    """Yield one `Ask` for each row of input_ids int32[batch, length]; several rows are cut to input_lengths.

    `lookahead` is the server's; `exclude_input` is what holds where the request does not say. Raises InputError.
    """
    for name, values in tensors.items():
        if name in NEUTRAL:
            if any(value not in NEUTRAL[name] for value in values.reshape(-1).tolist()):
                raise InputError(
                    f"{name} is {_text(values)}, which the CPU model cannot do: it decodes greedily, with one beam, "
                    f"and returns tokens only. Leave it out, or send {NEUTRAL[name][-1]}."
                )
        elif name not in HONOURED | WITHOUT_EFFECT:
            raise InputError(f"{name} is not supported by the CPU model. Leave it out.")
    if "input_ids" not in tensors:
        raise InputError("input_ids is not present in the request.")
    prompts = tensors["input_ids"]
    for row, prompt in enumerate(prompts):
        read = _Row(tensors, row, len(prompts))
        if len(prompts) > 1:
            prompt = prompt[: read.integer("input_lengths", len(prompt))]  # noqa: PLW2901
        yield _ask(read, tuple(prompt.tolist()), lookahead, limits, exclude_input)


def wants_stop(tensors: Tensors) -> bool:
    """Return True if the request asks to end another one with its id."""
    return "stop" in tensors and bool(tensors["stop"].reshape(-1)[0])


@dataclass(frozen=True, slots=True)
class _Row:
    """One row's scalars; an input with a single value holds for every row."""

    tensors: Tensors
    row: int
    rows: int

    def integer(self, name: str, default: int) -> int:
        if name not in self.tensors:
            return default
        values = self.tensors[name].reshape(-1)
        return int(values[self.row if len(values) == self.rows else 0])

    def flag(self, name: str, default: bool = False) -> bool:
        return bool(self.integer(name, default))


def _ask(read: _Row, ids: tuple[int, ...], lookahead: Lookahead, limits: Limits, exclude_input: bool) -> Ask:
    if not ids:
        raise InputError("input_ids is empty. Send at least one token.")
    if len(ids) > limits.prompt:
        raise InputError(f"Prompt length ({len(ids)}) exceeds maximum input length ({limits.prompt}).")
    if not all(0 <= token < limits.vocabulary for token in ids):
        raise InputError(f"input_ids holds a token outside of the vocabulary (0 to {limits.vocabulary - 1}).")
    if "request_output_len" not in read.tensors:
        raise InputError("request_output_len is not present in the request")
    wanted = read.integer("request_output_len", 0)
    if wanted < 1:
        raise InputError(f"request_output_len is {wanted}; it must be at least 1.")
    min_tokens = read.integer("min_tokens", 0)
    if min_tokens < 0:
        raise InputError(f"min_tokens is {min_tokens}; it cannot be negative.")
    end_id = read.integer("end_id", -1)
    if not -1 <= end_id < limits.vocabulary:
        raise InputError(f"EndId ({end_id}) is not within acceptable range [-1, {limits.vocabulary}).")
    words = read.tensors.get("stop_words_list")
    try:
        chosen = lookahead.for_request(
            {name: read.integer(name, 0) for name in Lookahead.INPUTS if name in read.tensors}
        )
        stops = stop_sequences(words.reshape(-1, 2, words.shape[-1])[read.row]) if words is not None else ()
    except ValueError as error:
        raise InputError(str(error)) from None
    return Ask(
        ids=ids,
        decoding=Decoding(
            # As in TensorRT-LLM, what does not fit is cut off the output without a word.
            max_new_tokens=min(wanted, limits.sequence - len(ids) - lookahead.max_draft_len),
            end_id=None if end_id == -1 else end_id,
            candidates=chosen.candidates,
            min_tokens=min_tokens,
            stop_sequences=stops,
        ),
        streaming=read.flag("streaming"),
        exclude_input=read.flag("exclude_input_in_output", exclude_input),
        perf_metrics=read.flag("return_perf_metrics"),
        count_input=read.flag("return_num_input_tokens"),
        count_output=read.flag("return_num_output_tokens"),
    )


def _text(values: NDArray[Any]) -> str:
    return ", ".join(map(str, values.reshape(-1).tolist()[:4]))


def stop_sequences(words: NDArray[Any]) -> tuple[tuple[int, ...], ...]:
    """Split a word list, int32[2, n]: the words' ids one after the other, then the offsets at which each ends, then -1.

    After convertWordList (utils.cc). Raises ValueError, naming the input, when it is not such a list.
    """
    ids, offsets = words.tolist()
    ends = offsets[: offsets.index(-1)] if -1 in offsets else offsets
    if any(offset != -1 for offset in offsets[len(ends) :]):
        raise ValueError("stop_words_list has an offset after the first -1.")
    split, start = [], 0
    for end in ends:
        if not start < end <= len(ids):
            raise ValueError(
                f"stop_words_list has the offset {end} after {start}; offsets must grow and end at {len(ids)} at most."
            )
        split.append(tuple(ids[start:end]))
        start = end
    return tuple(split)
