"""Write what the scheduler reports into output tensors, as TensorRT-LLM 1.2.1 fills them.

After ModelInstanceState::fillTritonResponse (triton_backend/inflight_batcher_llm/src/model_instance_state.cc) and
LlmRequest::createResult: a streamed response carries the new tokens only, and sequence_length counts those; a whole one
carries all of them, after the prompt unless that is excluded. The end id is never among them (explicitEOSCriterion).
"""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from querygist.engines.openvino.scheduler import Progress
from querygist.triton_backend.inputs import Ask

Outputs = dict[str, NDArray[Any]]


class Reply:
    """One prompt's answer as it grows. `batch_index` None: it is the request's only one."""

    def __init__(self, ask: Ask, batch_index: int | None) -> None:
        self._ask = ask
        self._batch_index = batch_index
        self._generated: list[int] = []
        self._drafted = 0
        self._accepted = 0
        self._arrival = time.monotonic_ns()
        self._first_scheduled = 0
        self._first_token = 0
        self._last_token = 0

    def add(self, progress: Progress) -> Outputs | None:
        """Return tensors to send now, with a batch dimension of 1; None: nothing to tell yet."""
        now = time.monotonic_ns()
        self._first_scheduled = self._first_scheduled or now
        if progress.ids:
            self._first_token = self._first_token or now
            self._last_token = now
        self._generated += progress.ids
        self._drafted += progress.drafted
        self._accepted += progress.accepted
        if self._ask.streaming and (progress.ids or progress.finished):
            return self._outputs(progress.ids)
        if progress.finished:
            return self._outputs(self._generated if self._ask.exclude_input else [*self._ask.ids, *self._generated])
        return None

    def _outputs(self, ids: tuple[int, ...] | list[int]) -> Outputs:
        outputs: Outputs = {
            "output_ids": np.asarray(ids, dtype=np.int32).reshape(1, 1, -1),
            "sequence_length": np.asarray([[len(ids)]], dtype=np.int32),
        }
        if self._batch_index is not None:
            outputs["batch_index"] = _int32(self._batch_index)
        if self._ask.count_input:
            outputs["num_input_tokens"] = _int32(len(self._ask.ids))
        if self._ask.count_output:
            outputs["num_output_tokens"] = _int32(len(ids))
        if self._ask.perf_metrics:
            outputs |= {
                "arrival_time_ns": _int64(self._arrival),
                "first_scheduled_time_ns": _int64(self._first_scheduled),
                "first_token_time_ns": _int64(self._first_token),
                "last_token_time_ns": _int64(self._last_token),
                "acceptance_rate": np.asarray([[self._accepted / max(1, self._drafted)]], dtype=np.float32),
                "total_accepted_draft_tokens": _int32(self._accepted),
                "total_draft_tokens": _int32(self._drafted),
            }
        return outputs


def _int32(value: int) -> NDArray[np.int32]:
    return np.asarray([[value]], dtype=np.int32)


def _int64(value: int) -> NDArray[np.int64]:
    return np.asarray([[value]], dtype=np.int64)
