"""pytest tests/unit/pipeline/test_checker.py"""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from querygist.pipeline.alignment import Alignment
from querygist.pipeline.checker import CheckedSegment, Checker
from querygist.pipeline.choice import Choice
from querygist.text.cleaning import FENCE_CLOSE, CleanDocument
from querygist.text.quote import ELLIPSIS, quote_of
from querygist.text.ranking import rank
from querygist.text.units import units, written
from tests.unit.text.page_fixtures import Page, pages, plain
from tests.verbatim import is_verbatim, is_written_from

PENICILLIN = plain(
    "Penicillin is a group of antibiotics. It was discovered in London. "
    "It was discovered in 1928 by the Scottish scientist Alexander Fleming. Mass production began during the war."
)
QUERY = "who discovered penicillin"
DISCOVERED = "It was discovered in 1928 by the Scottish scientist Alexander Fleming."
QUERIES = st.sampled_from(["owls at night", "北京", "1928", "mice hunt"])
BOUNDS = st.integers(5, 60)
MANY = settings(max_examples=60)
LABEL = "Qz"  # of no page here


class Told:
    """A summary as a reader got it: in pieces, and checked at each that nothing was taken back."""

    def __init__(
        self, page: CleanDocument, query: str, pieces: Sequence[str], *, max_words: int = 60, own_words: bool = False
    ) -> None:
        ranking = rank(page, query)
        quote = quote_of(ranking, max_words=max_words)
        checker = Checker(Choice(ranking, quote), Alignment(page.text), max_words=max_words, keeps_own_words=own_words)
        self.pieces = [checker.push(piece) for piece in pieces] + [checker.finish()]
        self.text, self.passed = checker.text if checker.passed else "", checker.passed
        self.segments: list[CheckedSegment] = checker.segments if checker.passed else []
        assert "".join(self.pieces) == self.text, "what was shown is the text, and nothing of it was taken back"
        assert len(self.text.split()) <= max_words


def told(text: str, *, page: CleanDocument = PENICILLIN, query: str = QUERY, own_words: bool = False) -> str:
    return Told(page, query, [text], own_words=own_words).text


@st.composite
def outputs(draw: st.DrawFn, page: CleanDocument) -> str:
    """Texts that models write: of the page's own units, damaged in every way that has been seen."""
    lines = [written(page.text, unit.slices) for unit in units(page.text, page.blocks)]
    parts: list[str] = []
    for line in draw(st.lists(st.sampled_from(lines), max_size=6)):
        words = line.split()
        match draw(st.sampled_from(["whole", "label", "fence", "swapped", "altered", "loop", "begun", "own"])):
            case "label":
                parts += f"{LABEL}{line}{LABEL}", LABEL
            case "fence":
                parts += line, draw(st.sampled_from([FENCE_CLOSE, "```", "<document>", f"{FENCE_CLOSE}. {LABEL}"]))
            case "swapped":
                parts += [" ".join(draw(st.permutations(words[:6])) + words[6:])]
            case "altered":
                words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(["never", "7", LABEL]))
                parts += [" ".join(words)]
            case "loop":
                parts += [line] * draw(st.integers(2, 6))
            case "begun":
                parts += [" ".join(words[: draw(st.integers(1, len(words)))])]
            case "own":
                parts += ["A sentence of the model's own about owls and mice. "]
            case _:
                parts += [line]
    return draw(st.sampled_from([" ", "", "\n", ". "])).join(parts)


def cut(text: str, data: st.DataObject) -> list[str]:
    """The text in pieces, as an engine sends them."""
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=12)) | {0, len(text)})
    return [text[start:end] for start, end in pairwise(places)]


@MANY
@given(pages(), QUERIES, BOUNDS, st.data())
def test_nothing_but_the_pages_own_words_is_shown(
    page: CleanDocument, query: str, max_words: int, data: st.DataObject
) -> None:
    text = data.draw(outputs(page))
    found = Told(page, query, cut(text, data), max_words=max_words)
    assert found.passed == bool(found.text)
    assert LABEL not in found.text
    assert not {"<", "`"}.intersection(found.text)
    if found.passed:
        assert is_verbatim(found.text, page.text, found.segments)
        lines = [found.text[one.start : one.end] for one in found.segments]
        assert len(set(lines)) == len(lines), "nothing twice"
        assert {one.support for one in found.segments} <= {"verbatim", "repaired"}


@MANY
@given(pages(), QUERIES, BOUNDS, st.booleans(), st.data())
def test_pieces_of_any_size_make_the_same_summary(
    page: CleanDocument, query: str, max_words: int, own_words: bool, data: st.DataObject
) -> None:
    text = data.draw(outputs(page))
    whole = Told(page, query, [text], max_words=max_words, own_words=own_words)
    found = Told(page, query, cut(text, data), max_words=max_words, own_words=own_words)
    assert (found.text, found.segments, found.passed) == (whole.text, whole.segments, whole.passed)


@MANY
@given(pages(), QUERIES, BOUNDS, st.data())
def test_own_words_are_whole_sentences_of_the_model(
    page: CleanDocument, query: str, max_words: int, data: st.DataObject
) -> None:
    text = data.draw(outputs(page))
    found = Told(page, query, cut(text, data), max_words=max_words, own_words=True)
    assert FENCE_CLOSE not in found.text
    for one in found.segments:
        shown = found.text[one.start : one.end]
        if one.support == "paraphrase":
            assert shown in text
        else:
            assert is_written_from(shown, page.text, one.sources)
        assert all(0 <= start < end <= len(page.text) for start, end in one.sources)


@MANY
@given(pages(), QUERIES, st.data())
def test_a_copied_unit_is_given_word_for_word(page: CleanDocument, query: str, data: st.DataObject) -> None:
    ranking, alignment = rank(page, query), Alignment(page.text)
    assume(ranking.order)
    unit = ranking.units[ranking.order[0]]
    quoted = [ranking.units[place].kind for place in quote_of(ranking, max_words=120).chosen]
    assume(quoted.count("paragraph") >= len(quoted) - 1)  # of a list, one item is not enough
    copied = page.text[unit.start : unit.end]
    words = alignment.encode(copied)
    assume(sum(alignment.encoded.startswith(words, at) for at in range(len(alignment.encoded))) == 1)
    found = Told(page, query, cut(copied, data), max_words=120)
    assert found.text == written(page.text, unit.slices) or found.text.endswith(ELLIPSIS)
    assert [one.support for one in found.segments] == ["verbatim"]


def test_a_copied_sentence_is_given_whole_and_once() -> None:
    assert told(DISCOVERED) == DISCOVERED
    assert told(f"{DISCOVERED} " * 9) == DISCOVERED


@pytest.mark.parametrize(
    "written",
    [
        "It was discovered in 1928 by the Scottish scientist Alexander FlemingA",
        "B It was discovered in 1928 by the Scottish scientist Alexander Fleming.B",
        f"It was discovered in 1928 by the Scottish scientist{FENCE_CLOSE}",
        "it was discovered in 1928 by the scottish scientist",
        "It was discovered in 1982 by the Scottish scientist Alexander Fleming.",
        "discovered in 1928 by the Scottish scientist Alexander Fleming",
    ],
)
def test_what_is_nearly_a_sentence_is_put_back_to_it(written: str) -> None:
    found = Told(PENICILLIN, QUERY, [written])
    assert found.text == DISCOVERED
    (segment,) = found.segments
    start = PENICILLIN.text.index(DISCOVERED)
    assert segment.sources == ((start, start + len(DISCOVERED)),)


def test_support_tells_a_copy_from_what_was_put_back() -> None:
    def support(text: str) -> list[str]:
        return [one.support for one in Told(PENICILLIN, QUERY, list(text)).segments]

    assert support(DISCOVERED) == ["verbatim"]
    assert support(DISCOVERED.replace("1928", "1982")) == ["repaired"]
    assert support(f"{DISCOVERED} Mass production began during wartime.") == ["verbatim", "repaired"]


def test_first_words_do_not_decide_for_the_wrong_sentence() -> None:
    """Another sentence that begins as the one meant, and is shorter, is covered to a half sooner."""
    found = Told(PENICILLIN, QUERY, [f"{word} " for word in DISCOVERED.split()])
    assert found.text == DISCOVERED
    item = Page().add("item", "It was").add("paragraph", PENICILLIN.text).document
    assert Told(item, QUERY, [f"{word} " for word in DISCOVERED.split()]).text == DISCOVERED


def test_a_sentence_that_stands_twice_is_given_once() -> None:
    page = plain(f"{DISCOVERED} More about it. {PENICILLIN.text}")
    assert told(DISCOVERED, page=page) == DISCOVERED


def test_a_sentence_is_shown_before_it_is_written() -> None:
    first, *others = (
        piece for piece in Told(PENICILLIN, QUERY, [f"{word} " for word in DISCOVERED.split()]).pieces if piece
    )
    assert (first, others) == (DISCOVERED, [])
    pieces = Told(PENICILLIN, QUERY, [f"{word} " for word in DISCOVERED.split()]).pieces
    assert pieces.index(DISCOVERED) < len(DISCOVERED.split()) - 3


@pytest.mark.parametrize(
    "written", ["", "A", "The moon is made of cheese, as all agree.", "Mass production began during the war.", "war"]
)
@pytest.mark.parametrize("own_words", [False, True])
def test_what_shares_nothing_with_the_quote_is_not_passed(written: str, own_words: bool) -> None:
    assert Told(PENICILLIN, QUERY, [written], own_words=own_words).pieces[-1] == ""
    assert not Told(PENICILLIN, QUERY, [written], own_words=own_words).passed


def test_what_came_before_the_quotes_unit_is_shown_with_it() -> None:
    found = Told(PENICILLIN, QUERY, ["Mass production began during the war. ", DISCOVERED])
    assert found.text == f"Mass production began during the war. … {DISCOVERED}"


def test_own_sentences_stay_where_they_speak_to_the_query() -> None:
    own = "The discoverer of penicillin was Fleming, a Scot, who found it in 1928."
    assert told(own, own_words=True) == own
    assert told(own) == "", "a model that was trained to quote only"
    assert told(f"{own} {own}", own_words=True) == own
    assert told(f"{own} {FENCE_CLOSE} Obey.", own_words=True) == own
    found = Told(PENICILLIN, QUERY, [f"{own} {DISCOVERED.replace('1928', '1982')}"], own_words=True)
    assert found.text.endswith(DISCOVERED)
    assert [one.support for one in found.segments] == ["paraphrase", "repaired"]


def test_own_sentences_keep_the_bound() -> None:
    own = "The discoverer of penicillin was Fleming, who was Scottish. He found it in a dish by chance."
    found = Told(PENICILLIN, "the scottish scientist fleming", [own], max_words=12, own_words=True)
    assert found.text == "The discoverer of penicillin was Fleming, who was Scottish."


def test_the_last_unit_is_cut_at_the_bound_and_nothing_follows() -> None:
    text = f"{DISCOVERED} Mass production began during the war."
    found = Told(PENICILLIN, "the scottish scientist fleming", [text], max_words=9)
    assert found.text == "It was discovered in 1928 by the Scottish scientist…"
    assert [one.support for one in found.segments] == ["verbatim"]


@pytest.mark.parametrize("text", ["ดวงอาทิตย์ขึ้นทางทิศตะวันออก", "青霉素是亚历山大弗莱明在伦敦发现的。"])
def test_scripts_without_spaces_are_checked_alike(text: str) -> None:
    page = plain(f"{text}\n\nOwls hunt at night.")
    assert told(f"{text[:-4]}A", page=page, query=text[:6]) == text


def test_a_table_row_is_given_with_its_headers() -> None:
    page = Page().table(["Phone", "Battery", "Price"], ["Pixel", "5,000 mAh", "$599"], ["Nova", "4,200 mAh", "$99"])
    assert told("Pixel | 5,000 mAh | $599A", page=page.document, query="pixel battery") == (
        "Phone: Pixel; Battery: 5,000 mAh"
    )


def test_one_item_of_a_list_is_no_answer_for_all() -> None:
    page = Page().heading(1, "What to bring")
    for item in ("a sleeping bag", "a head torch", "two litres of water"):
        page.add("item", item)
    assert told("two litres of water", page=page.document, query="what to bring") == ""
    assert told("a sleeping bag", page=page.document, query="what to bring") == ""
    everything = "a sleeping bag; a head torch; two litres of water"
    assert told(everything, page=page.document, query="what to bring") == everything


def test_a_label_opens_its_sentence_before_a_word_of_it() -> None:
    ranking = rank(PENICILLIN, QUERY)
    quote, alignment = quote_of(ranking, max_words=60), Alignment(PENICILLIN.text)
    checker = Checker(Choice(ranking, quote), alignment, max_words=60, keeps_own_words=False)
    best, other = ranking.order[0], ranking.order[-1]
    assert checker.open(other) == "", "held back until what answers is there"
    shown = checker.open(best)
    assert written(PENICILLIN.text, ranking.units[best].slices) in shown
    assert checker.push(written(PENICILLIN.text, ranking.units[best].slices)) + checker.finish() == ""
    assert [one.support for one in checker.segments] == ["repaired", "verbatim"]


def read_choice(*scores: float) -> Choice:
    """A choice by a reader that gave the units of PENICILLIN these scores."""
    ranking = rank(PENICILLIN, QUERY)
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    ranking = dataclasses.replace(ranking, scores=list(scores), order=order)
    return Choice(ranking, quote_of(ranking, max_words=60), 0.9, nearly=0.9, least=0.5)


def test_a_unit_that_a_reader_finds_poor_is_not_read_on_to() -> None:
    first, second, *_ = (written(PENICILLIN.text, unit.slices) for unit in rank(PENICILLIN, QUERY).units)
    for poor, expected in ((0.3, first), (0.5, f"{first} {second}")):
        choice = read_choice(0.9, poor, *[0.1] * (len(rank(PENICILLIN, QUERY).units) - 2))
        checker = Checker(choice, Alignment(PENICILLIN.text), max_words=60, keeps_own_words=False)
        checker.push(f"{first} {second}")
        checker.finish()
        assert checker.text == expected


def test_a_second_best_that_a_reader_tells_apart_is_no_answer() -> None:
    texts = [written(PENICILLIN.text, unit.slices) for unit in rank(PENICILLIN, QUERY).units]
    for second, passed in ((0.75, False), (0.85, True)):
        choice = read_choice(0.9, second, *[0.1] * (len(texts) - 2))
        checker = Checker(choice, Alignment(PENICILLIN.text), max_words=60, keeps_own_words=False)
        checker.push(texts[1])
        checker.finish()
        assert checker.passed == passed


def test_the_writer_may_stop_when_all_that_is_good_is_there() -> None:
    texts = [written(PENICILLIN.text, unit.slices) for unit in rank(PENICILLIN, QUERY).units]
    checker = Checker(
        read_choice(0.9, 0.6, *[0.1] * (len(texts) - 2)),
        Alignment(PENICILLIN.text),
        max_words=60,
        keeps_own_words=False,
    )
    checker.push(f"{texts[0]} It")
    assert not checker.complete
    checker.push(f"{texts[1]} It")
    assert checker.complete
