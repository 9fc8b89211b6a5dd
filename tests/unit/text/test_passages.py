"""Run with."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from querygist.text.passages import ranked, select, snippet

from querygist.prompting.tokenizer import Tokenizer
from querygist.text.sentences import bounded_spans

TEXT = (
    "Owls hunt at night. They fly without a sound.\n\nParrots eat seeds. A parrot can live for eighty years. "
    "Nobody knows why. Penguins swim. Their colonies are loud. Seeds grow into plants. Plants need light. "
    "An owl turns its head by 270 degrees."
)
SENTENCES = st.lists(
    st.lists(
        st.sampled_from(["owl", "owls", "seed", "light", "北京", "The", "a-b", "x" * 40]), min_size=1, max_size=9
    ).map(lambda words: " ".join(words).capitalize() + ".\n"),
    min_size=1,
    max_size=20,
).map("".join)


def count(texts: Sequence[str]) -> list[int]:
    """Like a byte-level vocabulary: about four characters a token."""
    return [len(text) // 4 + 1 for text in texts]


def passage(query: str, budget: int, text: str = TEXT) -> str:
    return select(text, query, budget=budget, count=count).text


def test_a_document_that_fits_is_left_whole() -> None:
    whole = select(TEXT, "owls", budget=70, count=count)
    assert (whole.text, whole.spans, whole.truncated) == (TEXT, ((0, len(TEXT)),), False)

    def refuse(_: Sequence[str]) -> list[int]:
        raise AssertionError("there is nothing to count: a token is a byte at least")

    assert not select(TEXT, "owls", budget=len(TEXT), count=refuse).truncated


def test_relevant_sentences_are_kept_in_document_order() -> None:
    assert passage("how long do parrots live", 12) == "A parrot can live for eighty years."
    assert passage("owl hunting", 20) == "Owls hunt at night.\nAn owl turns its head by 270 degrees."


def test_neighbours_come_along_and_keep_what_stands_between_them() -> None:
    chosen = select(TEXT, "how long do parrots live", budget=24, count=count)
    assert chosen.text == "Parrots eat seeds. A parrot can live for eighty years. Nobody knows why."
    assert [TEXT[start:end] for start, end in chosen.spans] == [chosen.text]
    assert chosen.truncated


def test_a_rare_term_counts_more_than_a_common_one() -> None:
    text = "The owl sits. The owl flies. The owl eats. The owl rests. A moth sits. The owl sleeps."
    assert passage("owl moth", 5, text) == "A moth sits."


def test_without_a_matching_term_the_beginning_is_taken() -> None:
    assert passage("quantum", 14).startswith("Owls hunt at night. They fly without a sound.")


def test_a_best_sentence_that_does_not_fit_is_cut() -> None:
    assert passage("live", 3) == "A parrot"
    assert passage("live", 1, "live" * 300) != ""


@given(SENTENCES, st.sampled_from(["owl", "seed light", "北", "zzz", "the", ""]), st.integers(1, 60))
def test_a_passage_is_made_of_the_document_and_keeps_its_budget(text: str, query: str, budget: int) -> None:
    chosen = select(text, query, budget=budget, count=count)
    assert chosen.text.strip()
    assert count([chosen.text])[0] <= budget
    assert chosen.truncated == (chosen.text != text)
    assert "\n".join(text[start:end] for start, end in chosen.spans) == chosen.text
    assert all(before[1] <= after[0] for before, after in pairwise(chosen.spans))


@pytest.mark.parametrize("budget", [8, 40, 200, 896])
def test_the_budget_holds_with_the_real_vocabulary(budget: int, tokenizer: Tokenizer) -> None:
    text = "".join(f"Fact {i}: the owl no. {i * 7} saw {i % 13} mice — «très bien», 北京 {i}! " for i in range(2_000))
    chosen = select(text, "which owl saw 12 mice", budget=budget, count=tokenizer.count_each)
    (size,) = tokenizer.count_each([chosen.text])
    assert budget * 0.6 - 30 <= size <= budget


def test_little_is_counted_of_a_long_document() -> None:
    counted = []

    def counting(texts: Sequence[str]) -> list[int]:
        counted.extend(texts)
        return count(texts)

    select(TEXT * 800, "parrots", budget=500, count=counting)
    assert sum(map(len, counted)) < 5_000


def test_a_budget_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        select(TEXT, "owl", budget=0, count=count)


def test_a_snippet_is_the_best_sentence_and_those_nearly_as_good() -> None:
    assert snippet(TEXT, "How long can a parrot live?", max_words=60).text == "A parrot can live for eighty years."
    both = snippet(TEXT, "seeds", max_words=60)
    assert both.text == "Parrots eat seeds. Seeds grow into plants."
    assert [TEXT[start:end] for start, end in both.spans] == ["Parrots eat seeds.", "Seeds grow into plants."]
    assert snippet(TEXT, "seeds", max_words=6).text == "Parrots eat seeds."


def test_a_snippet_of_one_long_sentence_is_cut_after_a_word() -> None:
    cut = snippet("The owl,  which\nflies at night, hunts mice and voles.", "owl", max_words=5)
    assert cut.text == "The owl, which flies at"
    assert cut.spans == ((0, 24),)


def test_unspaced_scripts_get_a_snippet_of_bounded_length() -> None:
    long = snippet("北京是中国的首都和政治中心" * 400, "首都", max_words=10)
    assert long.answerable
    assert 100 <= len(long.text) <= 150


def test_a_snippet_does_not_repeat_itself() -> None:
    assert snippet("Call the owl. " * 50, "owl", max_words=60).text == "Call the owl."


@pytest.mark.parametrize("query", ["quantum", "the and of what", "?!", ""])
def test_a_query_without_a_term_in_the_text_is_not_answerable(query: str) -> None:
    text = TEXT.replace("the", "").replace("and", "")
    nothing = snippet(text, query, max_words=60)
    assert (nothing.text, nothing.spans, nothing.answerable) == ("", (), False)


def test_a_query_of_common_words_asks_for_them() -> None:
    assert snippet("To be or not to be. An owl.", "to be", max_words=60).text == "To be or not to be."


@given(SENTENCES, st.sampled_from(["owl", "seed light", "北", "zzz", "the"]), st.integers(1, 20))
def test_a_snippet_is_bounded_and_verbatim(text: str, query: str, max_words: int) -> None:
    found = snippet(text, query, max_words=max_words)
    assert len(found.text.split()) <= max_words
    assert found.answerable == bool(found.text) == bool(found.spans)
    assert found.text == " ".join(" ".join(text[start:end].split()) for start, end in found.spans)


@given(SENTENCES, st.sampled_from(["owl light", "seed", "penguin", "北京"]))
def test_every_sentence_has_a_rank_where_a_term_occurs(text: str, query: str) -> None:
    sentences, order = ranked(text, query)
    assert sentences == bounded_spans(text)
    assert bool(order) == snippet(text, query, max_words=20).answerable
    assert sorted(order) == (list(range(len(sentences))) if order else [])


def test_the_first_of_the_ranked_is_the_snippet() -> None:
    (best, *_) = snippet(TEXT, "how long do parrots live", max_words=10).spans
    sentences, order = ranked(TEXT, "how long do parrots live")
    assert sentences[order[0]] == best
