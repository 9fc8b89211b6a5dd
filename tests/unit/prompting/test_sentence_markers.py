"""pytest tests/unit/prompting/test_sentence_markers.py"""

from hypothesis import given
from hypothesis import strategies as st
from querygist.text.passages import ranked

from querygist.prompting.sentence_markers import labelled, place_of
from querygist.prompting.templates import LETTERS

TEXTS = st.lists(st.sampled_from(["Owls hunt.", "Mice hide, at night.", "北京。", "\n\n", "A " * 99]), max_size=90).map(
    " ".join
)


@given(TEXTS, st.sampled_from(["owls at night", "北京", "trains"]))
def test_labelled_sentences_follow_one_another_to_the_end(document: str, query: str) -> None:
    found = labelled(document, query)
    sentences, order = ranked(document, query)
    assert len(found) == min(len(sentences), len(LETTERS))
    assert "".join(one.letter for one in found) == LETTERS[: len(found)]
    assert [one.end for one in found] == [*(one.start for one in found[1:]), *([len(document)] if found else [])]
    assert all(document[one.start : one.end].strip() for one in found)
    assert sum(one.best for one in found) == bool(order)
    for place, one in enumerate(found):
        assert place_of(found, one.start) == place_of(found, one.end - 1) == place
    assert place_of([], 0) is None


def test_labels_go_to_the_sentences_nearest_to_the_query() -> None:
    document = " ".join(f"Line {number} tells of {'owls' if number >= 60 else 'mice'}." for number in range(80))
    found = labelled(document, "owls")
    assert len(found) == len(LETTERS)
    texts = [document[one.start : one.end] for one in found]
    assert all(any(f" {number} " in text for text in texts) for number in range(60, 80))
    assert labelled("", "owls") == []
