"""pytest tests/unit/engines/test_prompt_lookup.py"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from querygist.engines.openvino.prompt_lookup import prompt_lookup


def plain(ids: list[int], tokens: int, ngram: int) -> list[int]:
    """The rule, word for word."""
    size = len(ids) // 2 if ngram >= len(ids) else ngram
    while size > 0:
        tail = ids[len(ids) - size :]
        for start in range(len(ids) - size):
            if ids[start : start + size] == tail:
                return ids[start + size : start + size + tokens]
        size -= 1
    return []


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(0, 8), st.integers(1, 6))
def test_follows_the_rule(ids: list[int], tokens: int, ngram: int) -> None:
    expected = plain(ids, tokens, ngram) if tokens else []
    assert prompt_lookup(np.array(ids, dtype=np.int64), tokens=tokens, ngram=ngram).tolist() == expected


def test_prefers_the_longest_match_then_the_first() -> None:
    ids = np.array([1, 2, 3, 10, 9, 2, 3, 20, 9, 2, 3, 30, 1, 2, 3])
    assert prompt_lookup(ids, tokens=2, ngram=3).tolist() == [10, 9]
    assert prompt_lookup(ids, tokens=2, ngram=2).tolist() == [10, 9]
