"""Pages to measure by."""

import pytest

from training.reader.evaluation import labelled
from training.reader.rows import ReaderRow

pytestmark = pytest.mark.training

TOPICS = ["moon", "sun", "owl", "rope", "lamp", "boat", "cheese", "piano", "snow", "garden", "castle", "river"]


def row(topic: str, source: str = "selqa", *, answerable: bool = True) -> ReaderRow:
    answer = f"{topic[::-1].capitalize()} made it {TOPICS.index(topic)}00 years ago."
    document = f"The {topic} is old. {answer} Every third one is near a moon."
    return ReaderRow(
        id=f"{topic} {answerable}", source=source, query=f"who made the {topic}", document=document,
        answers=(answer,) if answerable else (), answerable=answerable,
    )  # fmt: skip


def test_negatives_are_other_documents_and_have_no_answer() -> None:
    rows = [row(topic) for topic in TOPICS] + [row("moon", answerable=False)]
    found = labelled(rows, rows, seed=1)
    assert [one.kind for one in found[: len(rows)]] == ["answerable"] * len(TOPICS) + ["people"]
    made = found[len(rows) :]
    assert {one.kind for one in made} == {"hard", "unrelated"}
    own = {one.query: one.document for one in found if one.kind == "answerable"}
    assert all(one.document != own[one.query] and not one.answers for one in made)


def test_sources_whose_pages_answer_alike_have_no_hard_ones() -> None:
    rows = [row(topic, "feedbackqa") for topic in TOPICS]
    assert "hard" not in {one.kind for one in labelled(rows, rows, seed=1)}
