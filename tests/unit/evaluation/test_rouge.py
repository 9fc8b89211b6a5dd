"""Scores are those of rouge-score; intervals hold what they promise."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from querygist.evaluation.rouge import difference, interval, rouge2, score

NAMES = ("rouge1", "rouge2", "rougeL")
words = st.sampled_from(
    ["owls", "owl", "hunting", "hunted", "the", "night", "Nightly", "a", "41", "mouse,", "naïve", "–", "don't"]
)
texts = st.lists(words, max_size=14).map(" ".join)


@given(texts, st.lists(texts, min_size=1, max_size=3))
def test_scores_are_rouge_scores_for_the_best_reference(text: str, references: list[str]) -> None:
    plain = [RougeScorer(NAMES, use_stemmer=True).score(reference, text) for reference in references]
    best = [100 * max(one[name].fmeasure for one in plain) for name in NAMES]
    found = score(text, references)
    assert [found.rouge1, found.rouge2, found.rouge_l] == pytest.approx(best)
    assert rouge2(text, references) == pytest.approx(best[1])


def test_scores_checked_by_hand() -> None:
    # 3 of 4 words and 5 of the reference's; bigrams "owls hunt" and "at night" of 3 and 4; "owls hunt ... night" is LCS
    found = score("Owls hunted, night at.", ["owls hunt at the night"])
    assert found.rouge1 == pytest.approx(100 * 8 / 9)
    assert found.rouge2 == pytest.approx(100 * 2 / 7)
    assert found.rouge_l == pytest.approx(100 * 6 / 9)


def test_the_best_reference_is_chosen_metric_by_metric() -> None:
    found = score("a b c d", ["d c b a", "a b x x"])
    assert found.rouge1 == 100.0
    assert found.rouge2 == pytest.approx(100 / 3)
    assert found.rouge_l == pytest.approx(50)


def test_without_a_reference_there_is_no_score() -> None:
    with pytest.raises(ValueError, match="empty"):
        score("a", [])


numbers = st.floats(0, 100)


@given(st.lists(numbers, min_size=1, max_size=30), st.integers(0, 5))
def test_an_interval_holds_the_mean_and_is_reproducible(values: list[float], seed: int) -> None:
    found = interval(values, seed=seed)
    assert found.mean == pytest.approx(sum(values) / len(values))
    assert found.rows == len(values)
    assert min(values) - 1e-9 <= found.low <= found.mean <= found.high <= max(values) + 1e-9
    assert found == interval(values, seed=seed)


@given(st.lists(numbers, min_size=1, max_size=30), st.floats(-50, 50), st.integers(0, 5))
def test_equal_differences_have_an_interval_of_no_width(values: list[float], more: float, seed: int) -> None:
    found = difference([value + more for value in values], values, seed=seed)
    assert [found.mean, found.low, found.high] == pytest.approx([more] * 3, abs=1e-9)
    same = difference(values, values, seed=seed)
    assert (same.mean, same.low, same.high) == (0.0, 0.0, 0.0)


def normal(chance: np.random.Generator, size: int) -> Sequence[float]:
    found: list[float] = chance.normal(50, 10, size).tolist()
    return found


def test_an_interval_holds_the_true_mean_in_95_of_100_samples() -> None:
    chance = np.random.default_rng(0)
    found = [interval(normal(chance, 100), seed=number) for number in range(400)]
    covering = sum(one.low <= 50 <= one.high for one in found) / len(found)
    assert 0.91 <= covering <= 0.98


def test_an_interval_agrees_with_normal_theory() -> None:
    chance = np.random.default_rng(0)
    for size in (100, 400, 6_400):
        found = interval(normal(chance, size), seed=1)
        assert (found.high - found.low) / 2 == pytest.approx(1.96 * 10 / size**0.5, rel=0.15)


def test_pairing_sees_a_difference_that_single_intervals_hide() -> None:
    chance = np.random.default_rng(0)
    hardness = normal(chance, 200)
    better = [value + 0.5 + noise for value, noise in zip(hardness, chance.normal(0, 1, 200).tolist(), strict=True)]
    first, second = interval(better, seed=0), interval(hardness, seed=0)
    assert first.low < second.high
    assert difference(better, hardness, seed=0).low > 0


def test_what_cannot_be_averaged_or_paired_is_refused() -> None:
    with pytest.raises(ValueError, match="no mean"):
        interval([], seed=0)
    with pytest.raises(ValueError, match="2 values cannot be paired with 1"):
        difference([1.0, 2.0], [1.0], seed=0)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.integers(0, 9))
def test_values_that_are_clusters_of_their_own_change_nothing(values: list[float], seed: int) -> None:
    assert interval(values, seed=seed, clusters=[str(place) for place in range(len(values))]) == interval(
        values, seed=seed
    )


def test_one_cluster_has_no_interval_and_the_same_mean() -> None:
    found = interval([0.0, 100.0, 50.0], seed=1, clusters=["a", "a", "a"])
    assert (found.mean, found.low, found.high, found.rows) == (50, 50, 50, 3)


def test_clusters_of_unequal_size_keep_the_mean_of_values() -> None:
    found = interval([90.0, 90.0, 90.0, 10.0], seed=1, clusters=["a", "a", "a", "b"])
    assert (found.mean, found.low, found.high) == (70, 10, 90)


def test_as_many_clusters_as_values_are_needed() -> None:
    with pytest.raises(ValueError, match="2 values cannot belong to 1 clusters"):
        interval([1.0, 2.0], seed=0, clusters=["a"])
