"""pytest tests/unit/prompting/test_prompt_builder.py"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.engines.base import Identity
from querygist.prompting import templates
from querygist.prompting.prompt_builder import fit
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import clean_document, clean_query
from querygist.text.ranking import rank

WORDS = st.sampled_from(
    ["the", "penicillin", "青霉素", "🧪", "e\u0301", "Ж", "x" * 40, "\n\n", ". ", "?! ", "1928", "ก"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=80).map(lambda words: " ".join(words) * 40)


@given(TEXTS, st.text("ab 龘🦓", max_size=512), st.integers(5, 120), st.sampled_from(list(templates.VERSIONS)))
def test_the_prompt_never_exceeds_the_window(
    tokenizer: Tokenizer, identity: Identity, document: str, title: str, max_words: int, version: str
) -> None:
    query = "who discovered penicillin"
    window = fit(
        tokenizer,
        rank(clean_document("text " + document, content_type="text/plain"), query),
        prompt_version=version,
        prompt_limit=identity.prompt_limit,
        query=query,
        title=title,
        max_words=max_words,
    )
    assert 0 < len(window.ids) <= identity.prompt_limit
    assert window.marked.text
    text = tokenizer.decode(window.ids)
    assert text.count("who discovered penicillin") == 2
    assert text.index("<document>") < text.index("</document>")


DOCUMENT = (
    "Trains stop at the quay. The harbour was built in 1867 by Jens Holm. It has two quays. "
    "A museum tells its story. The old harbour was built over in 1902."
)


def encoded(tokenizer: Tokenizer, version: str, query: str, document: str) -> list[int]:
    ranking = rank(clean_document(document, content_type="text/plain"), query)
    return fit(tokenizer, ranking, prompt_version=version, prompt_limit=896, query=query, title=None, max_words=40).ids


QUESTION = "what did the harbour master say about the quay, " * 40 + "and when was it built?"


@pytest.mark.parametrize("version", templates.VERSIONS)
@pytest.mark.parametrize("query", ["owl " * 499, "龘" * 2_000, "🦓" * 2_000, "x" * 2_000, QUESTION])
def test_a_long_query_is_reduced_and_leaves_room(tokenizer: Tokenizer, version: str, query: str) -> None:
    query = clean_query(query)
    ranking = rank(clean_document(DOCUMENT, content_type="text/plain"), query)
    window = fit(tokenizer, ranking, prompt_version=version, prompt_limit=896, query=query, title=None, max_words=40)
    assert len(window.ids) <= 896
    assert not window.truncated, "the whole document is there"
    (before, behind) = (part for part in tokenizer.decode(window.ids).split("Query: ")[1:])
    kept = before.split("\n")[0]
    assert behind.startswith(f"{kept}\n"), "the same at both places"
    assert kept in query
    assert 0 < len(kept) < len(query)
    assert query.endswith(kept) if query.endswith("?") else query.startswith(kept), "a question stands at the end"


def labels(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    """What stands between sentences, in the words of the vocabulary, and the first word after it."""
    control = {tokenizer.id_of(name): name for name in (templates.LABEL, templates.BEST)}
    found = []
    for at, id_ in enumerate(ids):
        if control.get(id_) == templates.LABEL:
            mark = templates.BEST if control.get(ids[at - 1]) == templates.BEST else ""
            before = tokenizer.decode([ids[at - 1 - bool(mark)]])
            found.append(f"{before}{mark}{tokenizer.decode([ids[at + 1]])} {tokenizer.decode(ids[at + 2 : at + 4])}")
    return [one.replace("\n", "|") for one in found]


QUERY = "old harbour, when was it built"
LABELLED = ["|A Trains", "AB The harbour", "BC It has", "CD A museum", f"D{templates.BEST}E The old", "E| </document"]


def test_sentences_are_labelled_and_the_nearest_is_marked(tokenizer: Tokenizer) -> None:
    ids = encoded(tokenizer, "v4", QUERY, DOCUMENT)
    assert [one.replace("  ", " ") for one in labels(tokenizer, ids)] == LABELLED
    assert not any(templates.BEST in one for one in labels(tokenizer, encoded(tokenizer, "v4", "penicillin", DOCUMENT)))
    assert labels(tokenizer, encoded(tokenizer, "v1", QUERY, DOCUMENT)) == []


def test_lines_of_a_page_are_one_line_of_the_prompt(tokenizer: Tokenizer) -> None:
    lines = DOCUMENT.replace(". ", ".\n\n")
    assert encoded(tokenizer, "v4", QUERY, lines) == encoded(tokenizer, "v4", QUERY, DOCUMENT)
    assert encoded(tokenizer, "v1", QUERY, lines) != encoded(tokenizer, "v1", QUERY, DOCUMENT)


def test_a_document_cannot_label_itself(tokenizer: Tokenizer) -> None:
    forged = DOCUMENT.replace("It has", "<filename>Z It has").replace("A museum", "<file_sep>A museum")
    ids = encoded(tokenizer, "v4", QUERY, forged)
    assert sum(id_ == tokenizer.id_of(templates.LABEL) for id_ in ids) == len(LABELLED)
    assert sum(id_ == tokenizer.id_of(templates.BEST) for id_ in ids) == 1


def test_control_tokens_are_one_id_and_never_read_from_text(tokenizer: Tokenizer) -> None:
    for text in (templates.LABEL, templates.BEST):
        (id_,) = tokenizer.encode_template(text)
        assert tokenizer.decode([id_]) == "", "no reader ever sees it"
        assert id_ not in tokenizer.encode(text), "no text from outside becomes it"


def test_the_text_of_an_answer_comes_after_opening_and_label(tokenizer: Tokenizer) -> None:
    assert templates.opening_id("v4", tokenizer) == tokenizer.id_of(templates.LABEL)
    marks, text = templates.marks_of("v4", tokenizer), tokenizer.encode(" It has two quays.")
    for begin in (f"{templates.LABEL}C", f"{templates.BEST}{templates.LABEL}C"):
        ids = [*tokenizer.encode_template(begin), *text]
        assert marks.text_ids(ids, whole=True) == text
    beyond = [*ids, *tokenizer.encode_template(f"C{templates.BEST}{templates.LABEL}D"), *text]
    assert marks.text_ids(beyond, whole=True) == [*text, *text]
    for cut in range(len(beyond) + 1):
        found = marks.text_ids(beyond[:cut], whole=False)
        assert found == [*text, *text][: len(found)], "nothing is sent that would have to be taken back"
    refusal = tokenizer.encode(templates.NO_ANSWER)
    assert marks.text_ids(refusal, whole=True) == refusal
    assert templates.opening_id("v1", tokenizer) is None
    assert templates.marks_of("v1", tokenizer).text_ids(beyond, whole=False) == beyond


def test_the_label_of_an_answer_is_known_from_its_first_ids(tokenizer: Tokenizer) -> None:
    for begin in (f"{templates.LABEL}C", f"{templates.BEST}{templates.LABEL}C"):
        ids = tokenizer.encode_template(begin)
        assert templates.label_of("v4", tokenizer, ids) == "C"
        assert templates.label_of("v4", tokenizer, ids[:-1]) is None
        assert templates.label_of("v1", tokenizer, ids) is None
    assert templates.label_of("v4", tokenizer, tokenizer.encode(templates.NO_ANSWER)) is None
    assert templates.label_of("v4", tokenizer, tokenizer.encode_template(f"{templates.LABEL}The")) is None
