"""The arithmetic of many measures."""

import pytest

from tests.unit.training.evaluate.example_fixtures import measured
from training.evaluate.means import OVERALL, Share, aggregate, refusals


def test_refusals_are_counted_by_kind() -> None:
    found = refusals(
        [
            *(measured(kind="positive", answered=answered) for answered in (True, True, True, False)),
            *(measured(kind="hard", answered=answered) for answered in (True, False)),
            *(measured(kind="unrelated", answered=answered) for answered in (False, False, False)),
        ]
    )
    assert found.positive == Share(1, 4, 0.25)
    assert found.hard == Share(1, 2, 0.5)
    assert found.unrelated == Share(3, 3, 1.0)
    assert found.precision == 3 / 4, "three of the four answers should have been given"
    assert found.recall == 3 / 4
    assert found.f1 == 3 / 4


def test_precision_needs_negatives_and_recall_positives() -> None:
    positives, negatives = [measured()], [measured(kind="hard", answered=False)]
    assert (refusals(positives).precision, refusals(positives).recall, refusals(positives).f1) == (None, 1.0, None)
    assert (refusals(negatives).precision, refusals(negatives).recall, refusals(negatives).f1) == (None, None, None)
    wrong = refusals([measured(answered=False), measured(kind="hard")])
    assert (wrong.precision, wrong.recall, wrong.f1) == (0.0, 0.0, 0.0)


def test_means_are_by_source_and_over_all_examples() -> None:
    found = aggregate(
        [
            measured(source="b", rouge=80, words=5),
            measured(source="a", rouge=20, words=12, invented=2),
            measured(source="a", rouge=40, words=8),
            measured(source="a", rouge=0, words=0, answered=False),
            measured(source="a", kind="hard", answered=False),
        ],
        seed=0,
    )
    assert list(found) == ["a", "b", OVERALL]
    a, every = found["a"].quality, found[OVERALL].quality
    assert a is not None
    assert every is not None
    assert (a.rows, every.rows) == (3, 4)
    assert (a.rouge.rouge1.mean, a.rouge.rouge2.mean, a.rouge.rouge_l.mean) == (20.0, 10.0, 5.0)
    assert (every.rouge.rouge1.mean, every.rouge.rouge1.rows) == (35.0, 4)
    assert a.words is not None
    assert a.obedience is not None
    assert (a.words.mean, a.words.rows) == (10.0, 2), "of the answered ones"
    assert a.obedience.mean == pytest.approx(1.0)
    assert a.over == Share(1, 2, 0.5)
    assert a.invented == Share(1, 2, 0.5)
    assert found["a"].refusals.hard == Share(1, 1, 1.0)


def test_sources_without_answers_have_no_quality_or_length() -> None:
    found = aggregate([measured(source="a", kind="hard"), measured(source="b", rouge=0, answered=False)], seed=0)
    assert found["a"].quality is None
    b = found["b"].quality
    assert b is not None
    assert (b.words, b.copied, b.over, b.rouge.rouge1.mean) == (None, None, Share(0, 0, None), 0.0)


def test_speed_is_that_of_the_outputs_that_know_theirs() -> None:
    found = [measured(tokens=30, passes=10, seconds=each / 100) for each in range(101)]
    speed = aggregate([*found, measured(tokens=7)], seed=0)[OVERALL].speed
    assert (speed.tokens, speed.passes, speed.timed) == (101 * 30 + 7, 1010, 101)
    assert speed.step_compression == 3.0
    assert (speed.p50_seconds, speed.p95_seconds) == (pytest.approx(0.5), pytest.approx(0.95))
    unknown = aggregate([measured(tokens=7)], seed=0)[OVERALL].speed
    assert (unknown.step_compression, unknown.p50_seconds, unknown.p95_seconds) == (None, None, None)


def test_sentence_means_are_of_the_answers_made_of_sentences() -> None:
    found = aggregate([measured("a", sentence_f1=60), measured("b", sentence_f1=None), measured("c")], seed=0)["made"]
    assert found.quality is not None
    assert found.quality.sentences is not None
    assert (found.quality.sentences.f1.mean, found.quality.sentences.f1.rows) == (70, 2)
    assert (found.quality.sentences.precision.mean, found.quality.sentences.recall.mean) == (35, 100)
    without = aggregate([measured(sentence_f1=None)], seed=0)["made"].quality
    assert without is not None
    assert without.sentences is None


def test_rows_of_one_query_widen_the_interval() -> None:
    scores = [measured(str(number), rouge=100 * (number % 20 < 10)) for number in range(100)]
    repeated = [
        measured(str(number), rouge=100 * (number % 20 < 10), cluster=str(number % 20)) for number in range(100)
    ]
    alone, together = (aggregate(each, seed=0)[OVERALL].quality for each in (scores, repeated))
    assert alone is not None
    assert together is not None
    narrow, wide = (each.rouge.rouge1.high - each.rouge.rouge1.low for each in (alone, together))
    assert wide > 1.8 * narrow, "five rows a query: sqrt(5) times"
