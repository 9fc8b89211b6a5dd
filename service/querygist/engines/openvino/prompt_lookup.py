"""Prompt lookup: the candidate tokens that n-gram lookup puts before the model.

OpenVINO GenAI drafts candidates itself and reports neither how many it drafted nor how many were accepted. The rule
is deterministic, so this replays it: the longest n-gram (at most `ngram` ids) at the end of prompt + output that
occurs earlier; its *first* occurrence; the ids that followed there (openvino.genai,
src/cpp/src/prompt_lookup/continuous_batching_for_prompt_lookup.cpp, `generate_candidates`).
"""

import numpy as np
from numpy.typing import NDArray


def prompt_lookup(ids: NDArray[np.int64], *, tokens: int, ngram: int) -> NDArray[np.int64]:
    """Candidates after `ids` (1-D: prompt and output so far), at most `tokens` of them; possibly none."""
    length = len(ids)
    if tokens <= 0 or length < 2:
        return ids[:0]
    longest = length // 2 if ngram >= length else ngram
    for size in range(longest, 0, -1):
        starts = np.flatnonzero(ids[: length - size] == ids[length - size])
        for offset in range(1, size):
            starts = starts[ids[starts + offset] == ids[length - size + offset]]
        if len(starts):
            first = int(starts[0]) + size
            return ids[first : min(length, first + tokens)]
    return ids[:0]
