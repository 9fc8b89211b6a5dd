"""pytest tests/unit/training/data/test_negatives.py"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.text.sentences import terms
from tests.unit.training.row_fixtures import row
from training.config import REPOSITORY
from training.data.deduplication import Runs, folded_words
from training.data.negatives import Bm25Index, Pool, make
from training.data.raw_dataset import Row, read

QUERY = "when did the owl museum in Bergen open"
OPENED = "The owl museum in Bergen opened in 1931."
ASKED = row("asked", query=QUERY, document=OPENED, summary=OPENED)
OTHERS = "Other text entirely, about {0} and {0} alone."


def pool(*rows: Row) -> Pool:
    fillers = [
        row(f"f{i}", query=f"what is {word}", document=OTHERS.format(word), summary=OTHERS.format(word))
        for i, word in enumerate(("tea", "chess", "rivers", "paper", "violins", "glass"))
    ]
    return Pool([ASKED, *rows, *fillers], Runs())


def near(id_: str, document: str, **fields: str) -> Row:
    return row(id_, **{"query": "who pays for museums", "document": document, "summary": document, **fields})  # type: ignore[arg-type]


def test_bm25_ranks_by_rare_terms_and_is_zero_without_shared() -> None:
    index = Bm25Index(["The owl sat.", "The owl and the heron sat.", "Sat.", "Rivers flow."])
    scores = index.scores("an owl or a heron")
    assert list(scores.argsort()[::-1][:2]) == [1, 0]
    assert scores[2] == scores[3] == 0
    assert index.idf("heron") > index.idf("owl") > index.idf("sat")
    assert index.idf("unheard") > index.idf("heron")
    assert index.weight(["owl", "owl"]) == pytest.approx(index.idf("owl"))
    assert not Bm25Index([]).scores("owl").size


def test_hard_negative_is_the_nearest_of_the_same_source() -> None:
    nearest = near("n1", "The museum in Bergen shows every owl of the north, and many a hawk.")
    elsewhere = near("n2", "The owl museum in Bergen, the owl museum in Bergen: when did it open?", source="other")
    less = near("n3", "Bergen has rain, and a museum of rain.")
    found = pool(less, elsewhere, nearest).hard(ASKED)
    assert found is not None
    assert (found.document, found.kind, found.row) == (nearest.document, "hard", ASKED)


@pytest.mark.parametrize(
    "answering",
    [
        near("x", "Some say: the OWL museum, in Bergen, opened in 1931."),  # the answer's text
        near("x", "The owl museum in Bergen has been open for visitors since 1931."),  # its own terms
        near(
            "x", "The owl museum in Bergen shows owls.", query="When did the owl museum of Bergen open?"
        ),  # asked alike
    ],
)
def test_what_may_answer_is_no_negative(answering: Row) -> None:
    harmless = near("n", "The owl museum in Bergen is closed on Mondays.")
    found = pool(answering, harmless).hard(ASKED)
    assert found is not None
    assert found.document == harmless.document


def test_a_near_copy_of_the_own_document_is_no_negative() -> None:
    copied = "Visitors of every age walk through the long blue hall of birds that the city of Bergen built."
    opened = "It opened in 1931."
    asked = row("asked", query=QUERY, document=f"{copied} {opened}", summary=opened)
    fillers = [near(word, OTHERS.format(word), query=f"what is {word}") for word in ("tea", "chess", "glass")]
    assert Pool([asked, near("x", f"{copied} Owls too, in a museum."), *fillers], Runs()).hard(asked) is None
    harmless = near("y", "The owl museum in Bergen is closed on Mondays.")
    found = Pool([asked, near("x", f"{copied} Owls too, in a museum."), harmless, *fillers], Runs()).hard(asked)
    assert found is not None
    assert found.document == harmless.document


def test_what_is_not_near_is_not_hard() -> None:
    assert pool(near("n", "Rain falls in many towns, in one museum even.")).hard(ASKED) is None


def test_unrelated_document_shares_nothing_with_the_query() -> None:
    related = near("n", "The owl museum in Bergen is closed on Mondays.")
    documents = {found.document for seed in range(60) if (found := pool(related).unrelated(ASKED, seed))}
    assert ASKED.document not in documents
    assert related.document not in documents
    assert len(documents) == 6
    assert Pool([ASKED], Runs()).unrelated(ASKED, 1) is None


WORDS = st.sampled_from(["owl", "museum", "bergen", "opened", "1931", "rain", "tea", "chess", "the", "in"])
DOCUMENTS = st.lists(st.lists(WORDS, min_size=3, max_size=8).map(" ".join), min_size=2, max_size=12, unique=True)


@given(DOCUMENTS, st.lists(WORDS, min_size=1, max_size=3), st.data())
def test_a_negative_never_contains_the_answer(documents: list[str], query: list[str], data: st.DataObject) -> None:
    rows = [
        row(str(i), query=f"{' '.join(query)} {i}", document=text, summary=" ".join(text.split()[:2]))
        for i, text in enumerate(documents)
    ]
    one = data.draw(st.sampled_from(rows))
    found = Pool(rows, Runs())
    for negative in (found.hard(one), found.unrelated(one, 1)):
        if negative is not None:
            assert negative.document != one.document
            assert f" {' '.join(folded_words(one.summary))} " not in f" {' '.join(folded_words(negative.document))} "


@pytest.fixture(scope="module")
def real() -> list[Row]:
    return read([REPOSITORY / "tests/data/rows.jsonl"], seed=1, held_out=0.1)


def test_real_rows_get_as_many_negatives_of_both_kinds(real: list[Row]) -> None:
    made = make(real, Pool(real, Runs()), each=3, hard=lambda row: row.source != "selqa", seed=1)
    assert [negative.kind for negative in made] == ["hard"] * 3 + ["unrelated"] * 3
    assert len({(negative.kind, negative.row.id) for negative in made}) == 6
    sources = {row.document: row.source for row in real}
    for negative in made:
        assert negative.row.summary not in negative.document
        if negative.kind == "hard":
            assert sources[negative.document] == negative.row.source != "selqa"
            assert set(terms(negative.row.query)) & set(terms(negative.document))
    assert make(real, Pool(real, Runs()), each=3, hard=lambda row: row.source != "selqa", seed=1) == made
    assert make(real, Pool(real, Runs()), each=3, hard=lambda row: row.source != "selqa", seed=2) != made


def test_as_many_as_there_are_is_all_there_can_be(real: list[Row]) -> None:
    made = make(real, Pool(real, Runs()), each=1000, hard=lambda row: False, seed=1)
    assert 20 < len(made) <= len(real)
    assert {negative.kind for negative in made} == {"unrelated"}
