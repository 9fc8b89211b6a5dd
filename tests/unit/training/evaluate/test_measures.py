"""What is measured of one output, and the arithmetic of many."""

import pytest

from querygist.evaluation.rouge import NOTHING
from tests.unit.training.evaluate.example_fixtures import DOCUMENT, example, measured
from training.evaluate.measures import OVERALL, Share, aggregate, differences, measure, refusals
from training.generate.generator import Generated


def test_an_output_is_measured() -> None:
    one = example(references=("Owls hunt at night.", "They eat grain, mice do."), max_words=5)
    found = measure(one, Generated("Owls hunt at night in Utah.", True, tokens=9, passes=4, seconds=0.5))
    assert found.rouge is not None
    assert found.rouge.rouge1 == pytest.approx(100 * 2 * (4 / 6) / (4 / 6 + 1))
    assert (found.words, found.requested, found.reference_words) == (6, 5, 4.5)
    assert found.compression == pytest.approx(6 / 15)
    assert found.copied == pytest.approx(3 / 5)
    assert found.invented == 1
    assert (found.tokens, found.passes, found.seconds) == (9, 4, 0.5)


def test_a_refused_positive_scores_nothing_whatever_its_text() -> None:
    found = measure(example(), Generated(DOCUMENT, answerable=False))
    assert (found.rouge, found.words, found.answered) == (NOTHING, 0, False)


def test_an_answer_without_text_scores_nothing_and_is_no_refusal() -> None:
    found = measure(example(), Generated("", answerable=True))
    assert (found.rouge, found.answered) == (NOTHING, True)


def test_a_negative_has_no_rouge() -> None:
    assert measure(example(kind="hard"), Generated("Owls.", answerable=True)).rouge is None


def test_without_references_the_summary_is_one() -> None:
    found = measure(example(references=()), Generated("Owls hunt at night.", answerable=True))
    assert found.rouge is not None
    assert found.rouge.rouge2 == 100.0


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


def test_differences_pair_the_examples_that_both_wrote_for() -> None:
    ours = [measured("1", rouge=60), measured("2", rouge=40), measured("3", rouge=100), measured("n", kind="hard")]
    theirs = [measured("2", rouge=44), measured("1", rouge=40), measured("4", rouge=0), measured("n", kind="hard")]
    found = differences(ours, theirs, seed=0)
    assert list(found) == ["made", OVERALL]
    assert (found["made"].rouge1.mean, found["made"].rouge2.mean, found["made"].rouge_l.mean) == (8.0, 4.0, 2.0)
    assert (found["made"].rouge1.rows, found["made"].rouge1.low, found["made"].rouge1.high) == (2, -4.0, 20.0)
    assert differences(ours, [], seed=0) == {}
