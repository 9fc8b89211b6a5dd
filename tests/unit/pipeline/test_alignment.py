"""pytest tests/unit/pipeline/test_alignment.py"""

from hypothesis import given
from hypothesis import strategies as st

from querygist.pipeline.alignment import Alignment, Fragments

WORDS = st.lists(st.sampled_from(["owls", "Hunt", "hunt", "at", "night", "北", "3.5"]), max_size=30)
PAGES = WORDS.map(" ".join)


@given(PAGES, WORDS)
def test_words_added_one_by_one_make_the_same_fragments(page: str, text: list[str]) -> None:
    alignment = Alignment(page)
    fragments = Fragments(alignment)
    for word in text:
        fragments.add(word)
    assert fragments.ended() == alignment.fragments(" ".join(text))


@given(PAGES, WORDS)
def test_a_certain_fragment_is_part_of_one_at_the_end(page: str, text: list[str]) -> None:
    fragments = Fragments(Alignment(page))
    certain = []
    for word in text:
        fragments.add(word)
        certain += fragments.certain()
    ended = fragments.ended()
    assert all(any(first == start and last <= end for start, end in ended) for first, last in certain)


@given(PAGES, WORDS)
def test_fragments_are_words_of_both_in_the_texts_order(page: str, text: list[str]) -> None:
    alignment = Alignment(page)
    wanted, at = alignment.encode(" ".join(text)), 0
    for start, end in alignment.fragments(" ".join(text)):
        piece = alignment.encoded[start:end]
        assert len(piece) >= min(3, len(wanted))
        places = [place for place in range(len(alignment.encoded)) if alignment.encoded.startswith(piece, place)]
        assert start in places
        assert alignment.stands_once((start, end)) == (len(places) == 1)
        at = wanted.index(piece, at) + len(piece)
    if wanted and wanted in alignment.encoded:
        assert len(alignment.fragments(" ".join(text))) == 1


def test_words_of_a_span_of_characters() -> None:
    alignment = Alignment("Owls hunt, at night.")
    assert alignment.places((0, 4)) == (0, 1)
    assert alignment.places((5, 20)) == (1, 4)
    assert alignment.places((9, 11)) == (2, 2), "no word is there"
