"""BM25 over the sentences of a document as Querygist 0.4.0 had it: a control row must not change with the service."""

from collections import Counter
from collections.abc import Sequence

from querygist.text import bm25
from querygist.text.sentences import Span, bounded_spans, terms

_B = 0.2  # how much a long sentence is discounted
_NEIGHBOUR = 0.15  # share of its neighbours' scores that a sentence gets


def ranked(document: str, query: str) -> tuple[list[Span], list[int]]:
    """Return the sentences, and their indices, best first; no indices when no term of the query occurs."""
    sentences = bounded_spans(document)
    scores = _scores(document, sentences, query) if sentences else []
    if not any(scores):
        return sentences, []
    around = [0.0, *scores, 0.0]
    shared = [around[i] + _NEIGHBOUR * (around[i - 1] + around[i + 1]) for i in range(1, len(around) - 1)]
    return sentences, sorted(range(len(shared)), key=lambda i: -shared[i])


def _scores(document: str, sentences: Sequence[Span], query: str) -> list[float]:
    common = not terms(query)  # a query of nothing but stop words asks for them
    wanted = set(terms(query, common=common))
    tokens = [terms(document[start:end], common=common) for start, end in sentences]
    matches = [[token for token in sentence if token in wanted] for sentence in tokens]
    holding = Counter(term for match in matches for term in set(match))
    average = sum(map(len, tokens)) / len(tokens) or 1.0
    idf = {term: bm25.idf(len(tokens), count) for term, count in holding.items()}

    def score(match: list[str], length: int) -> float:
        norm = bm25.norm(length, average, _B)
        return sum(bm25.score(idf[term], count, norm) for term, count in Counter(match).items())

    return [score(match, len(sentence)) if match else 0.0 for match, sentence in zip(matches, tokens, strict=True)]
