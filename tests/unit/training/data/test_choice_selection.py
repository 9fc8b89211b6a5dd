"""pytest tests/unit/training/data/test_choice_selection.py"""

from collections import Counter
from random import Random

import pytest

from querygist.errors import ConfigurationError
from training.data.choice_rows import ChoiceRow
from training.data.choice_selection import Selection, select, stratum_of
from training.data.deduplication import Runs

NOUNS = ["owl", "cat", "fox", "elk", "hen", "ram", "bee", "ant", "cow", "emu", "gnu", "yak", "koi", "cod", "eel"]


def row(id_: str, *, source: str = "web", split: str | None = "train", **fields: object) -> ChoiceRow:
    chance = Random(id_)
    sentences = [f"The {chance.choice(NOUNS)} number {id_} {place} eats plum {chance.random()}." for place in range(5)]
    content = {"query": f"number {id_} 2", "document": " ".join(sentences), "summary": sentences[2]} | fields
    return ChoiceRow.model_validate({"id": id_, "source": source, "split": split} | content)


def several(id_: str, *, source: str = "web") -> ChoiceRow:
    made = row(id_, source=source)
    first, _, third, *_ = made.document.split(". The ")
    return made.model_copy(update={"summary": f"{first}. The {third}."})


ROWS = [
    *(row(f"f{number}") for number in range(20)),
    *(row(f"m{number}", query="what else is there") for number in range(20)),
    *(several(f"s{number}", source="papers") for number in range(20)),
    *(row(f"n{number}", summary="", answerable=False) for number in range(20)),
]


def drawn(rows: list[ChoiceRow] = ROWS, others: tuple[str, ...] = (), seed: int = 1) -> Selection:
    return select(rows, answerable={"web": 8, "papers": 4}, unanswerable={"web": 3}, others=others, seed=seed)


def test_the_stratum_tells_what_word_overlap_would_choose() -> None:
    assert stratum_of(row("a")) == "found"
    assert stratum_of(row("a", query="what else is there")) == "missed"
    assert stratum_of(several("a")) == "several"
    assert stratum_of(row("a", summary="", answerable=False)) == "unanswerable"


@pytest.mark.parametrize(
    "fields", [{"document": "Owls hunt. Mice sleep."}, {"summary": "Of their own making."}, {"summary": "The owl."}]
)
def test_rows_that_are_no_choice_have_no_stratum(fields: dict[str, str]) -> None:
    assert stratum_of(row("a", **fields)) is None


def test_quotas_are_met_and_strata_are_thirds() -> None:
    found = drawn()
    assert Counter(found.rows.values()) == {"several": 4, "missed": 4, "found": 4, "unanswerable": 3}
    sources = {row.id: row.source for row in ROWS}
    assert Counter(sources[id_] for id_ in found.rows) == {"web": 11, "papers": 4}


def test_the_draw_follows_the_seed_and_not_the_order() -> None:
    assert drawn(ROWS[::-1]) == drawn()
    assert drawn(seed=2) != drawn()


def test_rows_that_share_text_with_a_chosen_one_are_excluded() -> None:
    copies = [row(f"copy-{one.id}", document=f"Read on. {one.document}", query="what") for one in ROWS]
    rated = [one.model_copy(update={"id": f"rated-{one.id}", "split": None}) for one in ROWS]
    rows = [*ROWS, *copies, *rated]
    found, runs = drawn(rows), Runs()
    documents = {row.id: row.document for row in rows}
    kept = [document for id_, document in documents.items() if id_ not in {*found.rows, *found.excluded}]
    assert len(found.excluded) == 2 * len(found.rows), "the row itself or its copy, and the rated one"
    assert not any(id_.startswith("rated") for id_ in found.rows)
    assert not any(runs.share(documents[id_], document) for id_ in found.rows for document in kept)


def test_no_row_shares_text_with_test_or_validation() -> None:
    first = drawn()
    others = tuple(row.document for row in ROWS if row.id in first.rows)
    assert not drawn(others=others).rows.keys() & first.rows.keys()


def test_only_training_rows_are_drawn() -> None:
    held_out = [one.model_copy(update={"split": "validation"}) for one in ROWS[:15]]
    assert not drawn([*held_out, *ROWS[15:]]).rows.keys() & {row.id for row in held_out}


def test_a_quota_that_cannot_be_met_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="books has no 2 rows"):
        select(ROWS, answerable={"books": 2}, unanswerable={}, others=(), seed=1)
