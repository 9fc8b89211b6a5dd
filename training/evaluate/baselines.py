"""Baselines without a model: the control rows that every system must beat, and the one that no extract beats.

Each of them generates for one example. Only `oracle` looks at what people wrote.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import log

from querygist.evaluation.rouge import rouge2
from querygist.text.cleaning import clean_document
from querygist.text.quote import quote
from querygist.text.ranking import WEIGHTS, Weights
from querygist.text.sentences import sentence_spans, terms
from querygist.text.unicode import one_line
from training.data.examples import Example
from training.data.sentence_bm25 import ranked
from training.generate.generator import Generated

Baseline = Callable[[Example], Generated]


def lead(example: Example) -> Generated:
    """The first `max_words` words of the document."""
    sentences = _sentences(example.document)
    return _filled(sentences, range(len(sentences)), example.max_words)


def overlap(example: Example) -> Generated:
    """The sentences that share most with the query, each term of it weighted by its idf among them, up to `max_words`.

    Those that share nothing fill what room is left, from the top of the document.
    """
    sentences = _sentences(example.document)
    held = [set(terms(sentence)) for sentence in sentences]
    frequency = Counter(term for one in held for term in one)
    wanted = sorted(set(terms(example.query)) & frequency.keys())  # in order: a sum must not vary with Python's hashes
    idf = {term: log(1 + len(sentences) / frequency[term]) for term in wanted}
    scores = [sum(idf[term] for term in wanted if term in one) for one in held]
    order = sorted(range(len(sentences)), key=lambda place: -scores[place])
    return _filled(sentences, order, example.max_words)


def bm25_run(example: Example) -> Generated:
    """The document from its BM25-best sentence on, whole sentences up to `max_words`: the student's policy, no model.

    The prompt marks that sentence, and a student that quotes it and reads on can score no more than this; what it adds
    is its difference from here. Refuses when no term of the query occurs. A first sentence that is too long is cut.
    """
    sentences, order = ranked(example.document, example.query)
    if not order:
        return Generated("", answerable=False)
    first, *following = (one_line(example.document[start:end]).split() for start, end in sentences[order[0] :])
    run = first[: example.max_words]
    for words in following:
        if len(run) + len(words) > example.max_words:
            break
        run += words
    return Generated(" ".join(run), answerable=True)


def bm25_set(example: Example) -> Generated:
    """The service's quote while it has no reader: a set of units in page order, by BM25, no model."""
    return _quote(example, WEIGHTS)


def bm25_set_filled(example: Example) -> Generated:
    """The same choice, filled up to `max_words` as the other control rows are: the quote adds only what is near enough
    to its best unit.
    """
    return _quote(example, replace(WEIGHTS, entry=0))


def _quote(example: Example, weights: Weights) -> Generated:
    document = clean_document(example.document, content_type="text/plain")
    found = quote(document, example.query, max_words=example.max_words, weights=weights)
    return Generated(found.text, found.answerable)


def whole(example: Example) -> Generated:
    """The document itself: what recall alone is worth."""
    return Generated(example.document, answerable=True)


def oracle(example: Example) -> Generated:
    """Sentences chosen with the references at hand: one more while it raises ROUGE-2, the best first, of any length."""
    sentences, references = _sentences(example.document), example.references or (example.summary,)
    chosen: list[int] = []
    best = 0.0
    while len(chosen) < len(sentences):
        tried = [
            (rouge2(_joined(sentences, [*chosen, place]), references), -place)
            for place in range(len(sentences))
            if place not in chosen
        ]
        gained, place = max(tried)
        if gained <= best:
            break
        best = gained
        chosen.append(-place)
    return Generated(_joined(sentences, chosen), answerable=bool(chosen))


QUOTE = "BM25 set"
"""The row of the service's quote without its reader."""

BASELINES: dict[str, Baseline] = {
    "lead": lead,
    "idf overlap": overlap,
    "BM25 run": bm25_run,
    QUOTE: bm25_set,
    "BM25 set, filled": bm25_set_filled,
    "whole document": whole,
    "oracle": oracle,
}
"""By the names that they have in the report, in its order."""

CONTROLS = ("lead", "idf overlap", "BM25 run", QUOTE, "BM25 set, filled")
"""The control rows without a model; evaluate.controls names the systems that are control rows, too."""


def _sentences(document: str) -> list[str]:
    return [one_line(document[start:end]) for start, end in sentence_spans(document)]


def _joined(sentences: Sequence[str], places: Sequence[int]) -> str:
    return " ".join(sentences[place] for place in sorted(places))


def _filled(sentences: Sequence[str], order: Iterable[int], max_words: int) -> Generated:
    """Sentences in the order given, of the last one as many words as there is room for; joined as they stand.

    A baseline that left the room empty would lose by its length, not by its choice.
    """
    chosen: dict[int, str] = {}
    room = max_words
    for place in order:
        if room:
            words = sentences[place].split()[:room]
            chosen[place] = " ".join(words)
            room -= len(words)
    return Generated(" ".join(text for _, text in sorted(chosen.items())), answerable=bool(chosen))
