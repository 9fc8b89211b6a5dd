"""TensorRT-LLM's word lists: int32[2, n], the words' ids one after the other, then the offsets at which each ends."""

from typing import Any

from numpy.typing import NDArray


def sequences(words: NDArray[Any]) -> tuple[tuple[int, ...], ...]:
    """The words of one list, offsets padded with -1. Raises ValueError, naming the input, when it is not such a list.

    After convertWordList (triton_backend/inflight_batcher_llm/src/utils.cc).
    """
    ids, offsets = words.tolist()
    ends = offsets[: offsets.index(-1)] if -1 in offsets else offsets
    if any(offset != -1 for offset in offsets[len(ends) :]):
        raise ValueError("stop_words_list has an offset after the first -1.")
    found, start = [], 0
    for end in ends:
        if not start < end <= len(ids):
            raise ValueError(
                f"stop_words_list has the offset {end} after {start}; offsets must grow and end at {len(ids)} at most."
            )
        found.append(tuple(ids[start:end]))
        start = end
    return tuple(found)
