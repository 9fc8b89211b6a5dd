"""pytest tests/unit/training/lookahead/test_ngram_pool.py"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.engines.lookahead import Lookahead
from training.lookahead.ngram_pool import Pool, Shape, accepted, replay

IDS = st.lists(st.integers(0, 5), min_size=1, max_size=60)
SHAPES = st.builds(Shape, st.just(0), st.integers(2, 7), st.integers(0, 5))


@given(IDS, SHAPES)
def test_candidates_differ_and_have_followed_the_last_token(text: list[int], shape: Shape) -> None:
    found = Pool(shape, text).candidates()
    assert len(found) == len(set(found)) <= shape.verification_set
    for candidate in found:
        whole = (text[-1], *candidate)
        assert len(whole) == shape.ngram
        assert any(tuple(text[at : at + len(whole)]) == whole for at in range(len(text)))


def test_the_longest_agreement_comes_first_and_then_the_newest() -> None:
    text = [7, 8, 1, 2, 3, 4, 9, 8, 1, 5, 6, 0, 0, 8, 1, 9, 9, 7, 8, 1]
    assert Pool(Shape(0, 3, 4), text).candidates() == [(2, 3), (9, 9), (5, 6)]
    assert Pool(Shape(0, 3, 1), text).candidates() == [(2, 3)]


def test_window_guesses_rank_by_agreement_then_recency() -> None:
    pool = Pool(Shape(4, 3, 2), [8, 1, 2, 3, 0, 8, 1])
    for following in ((4, 4), (5, 5), (6, 6), (5, 5)):
        pool.guess(1, following)
    assert pool.candidates() == [(2, 3), (5, 5)]
    pool.extend([9, 1])
    assert set(pool.candidates()) == {(5, 5), (6, 6)}, "two kept; those of the text are older and agree no more"


@given(IDS, st.lists(st.integers(0, 5), min_size=1, max_size=40), SHAPES)
def test_a_replay_gives_every_token_once_and_at_most_n_in_a_pass(
    prompt: list[int], output: list[int], shape: Shape
) -> None:
    passes = replay(shape, prompt, output)
    assert sum(passes) == len(output)
    assert passes[0] == 1
    assert all(1 <= count <= shape.ngram for count in passes)
    if shape.verification_set == 0:
        assert passes == [1] * len(output)


@given(st.integers(2, 8), st.integers(20, 60))
def test_a_copy_takes_the_fewest_passes_there_can_be(ngram: int, length: int) -> None:
    prompt = list(range(100, 100 + length))
    output = [*prompt[5 : length - ngram], 0]
    copied = len(output) - 1
    # The prompt's pass gives the first token, each further one N of them, and the end comes with the last or after it.
    assert len(replay(Shape(0, ngram, 1), prompt, output)) <= 2 + -(-(copied - 1) // ngram)


@given(st.integers(1, 15), st.integers(2, 15), st.integers(0, 15))
def test_tokens_of_a_pass_are_those_of_tensorrt_llm(window: int, ngram: int, verification_set: int) -> None:
    assert Shape(window, ngram, verification_set).tokens == 1 + Lookahead(window, ngram, verification_set).max_draft_len
    assert Shape(4, 6, 4).tokens == 40


@pytest.mark.parametrize("numbers", [(-1, 6, 4), (4, 1, 4), (4, 6, -1)])
def test_shapes_that_are_none_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="start at"):
        Shape(*numbers)


def test_a_window_cannot_be_replayed() -> None:
    with pytest.raises(ValueError, match="without the model"):
        replay(Shape(4, 6, 4), [1, 2], [3])


@given(IDS, IDS)
def test_accepted_is_the_common_beginning(one: list[int], other: list[int]) -> None:
    count = accepted(one, other)
    assert one[:count] == other[:count]
    assert count == min(len(one), len(other)) or one[count] != other[count]
