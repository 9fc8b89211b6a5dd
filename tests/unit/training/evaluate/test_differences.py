"""Differences between systems."""

from tests.unit.training.evaluate.example_fixtures import measured
from training.evaluate.differences import differences, from_best_control
from training.evaluate.means import OVERALL


def test_differences_pair_the_examples_that_both_wrote_for() -> None:
    ours = [measured("1", rouge=60), measured("2", rouge=40), measured("3", rouge=100), measured("n", kind="hard")]
    theirs = [measured("2", rouge=44), measured("1", rouge=40), measured("4", rouge=0), measured("n", kind="hard")]
    found = differences(ours, theirs, seed=0)
    assert list(found) == ["made", OVERALL]
    rouge = found["made"].rouge
    assert (rouge.rouge1.mean, rouge.rouge2.mean, rouge.rouge_l.mean) == (8.0, 4.0, 2.0)
    assert (rouge.rouge1.rows, rouge.rouge1.low, rouge.rouge1.high) == (2, -4.0, 20.0)
    assert differences(ours, [], seed=0) == {}


def test_sentence_differences_pair_where_both_are_known() -> None:
    ours = [measured("1", sentence_f1=60), measured("2", sentence_f1=None)]
    found = differences(ours, [measured("1", sentence_f1=50), measured("2", sentence_f1=50)], seed=0)["made"]
    assert found.sentence_f1 is not None
    assert (found.sentence_f1.mean, found.sentence_f1.rows) == (10, 1)
    assert differences(ours[1:], [measured("2")], seed=0)["made"].sentence_f1 is None


def test_each_source_has_the_control_row_that_is_best_there() -> None:
    systems = {
        "lead": [measured("1", source="a", rouge=40), measured("2", source="b", rouge=90)],
        "bm25": [measured("1", source="a", rouge=50), measured("2", source="b", rouge=20)],
        "new": [measured("1", source="a", rouge=60), measured("2", source="b", rouge=100)],
    }
    found = from_best_control(systems, ("lead", "bm25", "not there"), seed=0)
    assert {source: (one.control, one.difference.rouge.rouge1.mean) for source, one in found["new"].items()} == {
        "a": ("bm25", 10),
        "b": ("lead", 10),
        OVERALL: ("lead", 15),
    }
    assert found["lead"].keys() == {"a"}
    assert found["bm25"].keys() == {"b", OVERALL}


def test_without_a_control_row_there_are_no_differences() -> None:
    assert from_best_control({"new": [measured()]}, (), seed=0) == {"new": {}}
