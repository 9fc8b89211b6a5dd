"""What the rows without a model may and must do."""

from hypothesis import given
from hypothesis import strategies as st

from querygist.evaluation.rouge import rouge2
from querygist.text.cleaning import clean_document
from querygist.text.quote import quote
from querygist.text.sentences import sentence_spans
from tests.unit.training.evaluate.example_fixtures import DOCUMENT, example
from training.data.examples import Example
from training.evaluate.baselines import BASELINES, CONTROLS, bm25_run, bm25_set, lead, oracle, overlap, whole

words = st.sampled_from(
    ["owls", "hunt", "at", "night", "their", "eyes", "mice", "sleep", "by", "day", "Dr.", "41", "1."]
)
sentences = st.lists(words, min_size=1, max_size=9).map(lambda found: " ".join(found).capitalize() + ".")
documents = st.lists(sentences, min_size=1, max_size=7).map(" ".join)


@st.composite
def examples(draw: st.DrawFn) -> Example:
    return example(
        query=" ".join(draw(st.lists(words, min_size=1, max_size=4))),
        document=draw(documents),
        max_words=draw(st.integers(5, 30)),
        references=tuple(draw(st.lists(documents, min_size=1, max_size=3))),
    )


@given(examples())
def test_lead_baselines_obey_the_length_and_are_verbatim(one: Example) -> None:
    for baseline in (lead, overlap, bm25_run):
        written = baseline(one)
        assert len(written.text.split()) <= one.max_words
        assert bool(written.text) == written.answerable
        assert set(written.text.split()) <= set(one.document.split())


@given(examples())
def test_lead_is_the_first_words_and_overlap_has_as_many(one: Example) -> None:
    words_of_it = one.document.split()
    assert lead(one).text.split() == words_of_it[: one.max_words]
    assert len(overlap(one).text.split()) == min(one.max_words, len(words_of_it))


@given(examples())
def test_bm25_set_is_the_services_own_quote(one: Example) -> None:
    found = quote(clean_document(one.document, content_type="text/plain"), one.query, max_words=one.max_words)
    written = bm25_set(one)
    assert (written.text, written.answerable) == (found.text, found.answerable)
    assert len(written.text.split()) <= one.max_words


def test_bm25_run_reads_on_from_the_best_sentence_in_whole_ones() -> None:
    assert bm25_run(example(query="large eyes", max_words=8)).text == "Their eyes are large. Mice sleep by day."
    assert bm25_run(example(query="large eyes", max_words=7)).text == "Their eyes are large."
    assert bm25_run(example(query="large eyes", max_words=3)).text == "Their eyes are"
    assert bm25_run(example(query="large eyes", max_words=99)).text == DOCUMENT.removeprefix("Owls hunt at night. ")


def test_bm25_run_refuses_where_no_term_of_the_query_occurs() -> None:
    assert not bm25_run(example(query="harbour taxes")).answerable


@given(examples())
def test_whole_is_the_document(one: Example) -> None:
    assert whole(one).text == one.document


@given(st.lists(sentences, min_size=1, max_size=6), st.lists(documents, min_size=1, max_size=2))
def test_the_oracle_beats_and_needs_no_other_sentence(found: list[str], people: list[str]) -> None:
    numbered = [f"{sentence[:-1]} x{place}." for place, sentence in enumerate(found)]  # so that no two are the same
    chosen = oracle(example(document=" ".join(numbered), references=tuple(people))).text
    best = rouge2(chosen, people)
    for sentence in numbered:
        assert rouge2(sentence, people) <= best
        more = " ".join(one for one in numbered if one in chosen or one == sentence)
        assert rouge2(more, people) <= best


@given(documents, st.data())
def test_the_oracle_finds_the_sentence_that_is_the_reference(document: str, data: st.DataObject) -> None:
    start, end = data.draw(st.sampled_from(sentence_spans(document)))
    reference = document[start:end]
    if len(reference.split()) > 1:
        assert rouge2(oracle(example(document=document, references=(reference,))).text, [reference]) == 100.0


def test_the_oracle_takes_two_sentences_in_document_order() -> None:
    references = ("They eat grain. Their eyes are large.",)
    assert oracle(example(references=references)).text == "Their eyes are large. They eat grain."


def test_the_oracle_is_empty_where_no_bigram_is_shared() -> None:
    written = oracle(example(references=("Nothing of it.",)))
    assert (written.text, written.answerable) == ("", False)


def test_overlap_prefers_rare_terms_then_fills_from_the_top() -> None:
    document = "Owls fly. Cats call. Mice nest in barns. Owls hoot."
    one = example(query="do owls like barns", document=document, max_words=8)
    assert overlap(one).text == "Owls fly. Mice nest in barns. Owls hoot."
    assert (
        overlap(example(query="barns", document=document, max_words=8)).text
        == "Owls fly. Cats call. Mice nest in barns."
    )


def test_what_is_cut_is_the_sentence_that_was_chosen_last() -> None:
    one = example(query="which eyes are large", max_words=6)
    assert overlap(one).text == "Owls hunt Their eyes are large."
    assert lead(one).text == "Owls hunt at night. Their eyes"
    assert lead(example(max_words=100)).text == DOCUMENT


def test_control_rows_do_not_look_at_peoples_answers() -> None:
    for name in BASELINES.keys() & set(CONTROLS):
        first, second = (BASELINES[name](example(references=(text,))) for text in ("Owls hunt.", "They eat grain."))
        assert first == second
    assert set(CONTROLS) <= BASELINES.keys()
    assert not {"whole document", "oracle"} & set(CONTROLS)
