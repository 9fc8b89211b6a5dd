"""The mixture: shares of answers by source, and negatives that do not answer."""

from collections import Counter

import pytest

from training.config import ReaderConfig, ReaderSource
from training.reader.mixture import Mixture, Page
from training.reader.rows import ReaderRow

TOPICS = ("owls hunt", "rivers flood", "trains stop", "bees dance", "glaciers melt", "violins sound", "bridges sway")


def answered(source: str, number: int) -> ReaderRow:
    topic = TOPICS[number % len(TOPICS)]
    answer = f"The reason that {topic} was found by observer {number} in the valley of {topic.split()[0]} {number}."
    rest = f"Many people study {topic}. Others prefer to stay at home. A museum opens daily. Nobody knows more."
    return ReaderRow(
        id=f"{source}-{number}", source=source, query=f"Why do {topic} {number}?", document=f"{answer} {rest}",
        answers=(answer,), title=f"Title {number}",
    )  # fmt: skip


def silent(source: str, number: int) -> ReaderRow:
    row = answered(source, number)
    return row.model_copy(
        update={"id": f"{row.id}-no", "answerable": False, "answers": (), "document": f"Ice {number}."}
    )


ROWS = [answered(source, number) for source in ("a", "b") for number in range(14)] + [silent("b", n) for n in range(4)]
CONFIG = ReaderConfig(examples=60, answerable_share=0.5)


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    return list(Mixture(ROWS, CONFIG, seed=1).draw())


def test_every_source_answers_in_the_same_share(pages: list[Page]) -> None:
    for source in ("a", "b"):
        labels = Counter(page.answerable for page in pages if page.source == source)
        assert labels[True] == 15
        assert labels[False] == pytest.approx(15, abs=2)


def test_negatives_hold_nothing_that_answers(pages: list[Page]) -> None:
    assert not any(unit.answers for page in pages if page.answerable is False for unit in page.units)


def test_negative_page_has_none_of_the_answers_text(pages: list[Page]) -> None:
    answers = {row.query: row.answers for row in ROWS if row.answerable}
    for page in pages:
        if page.answerable is False:
            assert not {unit.text for unit in page.units} & set(answers[page.query])


def test_people_negatives_repeat_no_more_than_allowed(pages: list[Page]) -> None:
    counts = Counter(page.id for page in pages if page.id.endswith("-no"))
    assert counts
    assert max(counts.values()) <= ReaderSource().human_repeats


def test_draw_is_the_same_for_a_seed(pages: list[Page]) -> None:
    assert list(Mixture(ROWS, CONFIG, seed=1).draw()) == pages


def test_emptied_page_is_dropped_where_the_rest_may_answer() -> None:
    mixture = Mixture(ROWS, CONFIG, seed=1)
    row = answered("a", 3)
    assert mixture.emptied(row) is not None
    told_twice = row.model_copy(update={"document": f"{row.document} Observer found reason valley bees 3 bees dance."})
    assert mixture.emptied(told_twice) is None


def test_source_without_page_labels_has_none() -> None:
    config = ReaderConfig(examples=10, sources={"a": ReaderSource(page=False), "b": ReaderSource(weight=0)})
    assert {page.answerable for page in Mixture(ROWS, config, seed=1).draw()} == {None}


def test_source_without_unit_labels_has_none() -> None:
    config = ReaderConfig(examples=10, sources={"a": ReaderSource(units=False), "b": ReaderSource(weight=0)})
    answering = [page for page in Mixture(ROWS, config, seed=1).draw() if page.answerable]
    assert {unit.answers for page in answering for unit in page.units} == {None}
