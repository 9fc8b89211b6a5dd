"""TensorRT-LLM's word lists."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.triton_backend.inputs import stop_sequences

WORDS = st.lists(st.lists(st.integers(0, 49151), min_size=1, max_size=6), max_size=6)


def to_word_list(words: list[list[int]], padding: int) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """As preprocessing/1/model.py of TensorRT-LLM does it: ids padded with 0, offsets with -1."""
    flat = [token for word in words for token in word]
    ends = list(accumulate(map(len, words)))
    length = max(1, len(flat)) + padding
    return np.asarray([flat + [0] * (length - len(flat)), ends + [-1] * (length - len(ends))], dtype=np.int32)


@given(WORDS, st.integers(0, 3))
def test_what_is_written_is_read(words: list[list[int]], padding: int) -> None:
    assert [list(word) for word in stop_sequences(to_word_list(words, padding))] == words


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([3, 2, -1], "offset 2 after 3"),
        ([2, 2, -1], "offset 2 after 2"),
        ([0, -1, -1], "offset 0 after 0"),
        ([4, -1, -1], "offset 4 after 0"),
        ([-2, -1, -1], "offset -2 after 0"),
        ([1, -1, 2], "offset after the first -1"),
    ],
)
def test_offsets_that_are_none_are_refused(offsets: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^stop_words_list .*{message}"):
        stop_sequences(np.asarray([[7, 8, 9], offsets], dtype=np.int32))
