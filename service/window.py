"""The prompt of one request, within the model's window. Training, evaluation and serving build it here."""

from dataclasses import dataclass
from itertools import pairwise

from service import prompt
from service.passages import evidence, select
from service.tokenization import Tokenizer

_CHARS_PER_TOKEN = 8
"""A document longer than so many characters for each token of the prompt is not tried as a whole: it will not fit."""


@dataclass(frozen=True, slots=True)
class Window:
    """Prompt token ids, and whether the document had to be cut to its query-relevant part."""

    ids: list[int]
    truncated: bool


def fit(
    tokenizer: Tokenizer,
    *,
    prompt_version: str,
    prompt_limit: int,
    query: str,
    title: str | None,
    document: str,
    max_words: int,
) -> Window:
    """Render and encode the prompt; a document that does not fit is reduced to passages. `prompt_limit` in tokens.

    Texts must have come through `service.documents`.
    """

    title = _shortened(tokenizer, title, prompt_limit // 8) if title else None

    marks = prompt.VERSIONS[prompt_version].marks

    def encode(text: str) -> list[int]:
        document = _marked(text, query, marks) if marks else (prompt.Segment(text, ours=False),)
        segments = prompt.render(prompt_version, query=query, title=title, document=document, max_words=max_words)
        return prompt.encode(tokenizer, segments)

    if len(document) <= prompt_limit * _CHARS_PER_TOKEN:
        ids = encode(document)
        if len(ids) <= prompt_limit:
            return Window(ids, truncated=False)
    budget = prompt_limit - len(encode(""))
    while True:
        passage = select(document, query, budget=budget, count=tokenizer.count_each)
        ids = encode(passage.text)
        if len(ids) <= prompt_limit:
            return Window(ids, passage.truncated)
        budget -= len(ids) - prompt_limit  # pieces joined may take a few tokens more than the pieces


def _marked(document: str, query: str, marks: tuple[prompt.Segment, prompt.Segment]) -> prompt.Document:
    """The document with the first of `marks` before the sentence that shares most with the query, the second before
    those that share nearly as much.

    What BM25 finds is a hint that the model need not search for itself; it may still know better.
    """
    best, good = marks
    starts = evidence(document, query)
    segments = [prompt.Segment(document[: min(starts, default=None)], ours=False)]
    for start, end in pairwise([*sorted(starts), len(document)]):
        segments += [best if start == starts[0] else good, prompt.Segment(document[start:end], ours=False)]
    return tuple(segment for segment in segments if segment.text)


def _shortened(tokenizer: Tokenizer, title: str, limit: int) -> str:
    """At most `limit` tokens of a title, so that there is always room for the document."""
    while (tokens := len(tokenizer.encode(title))) > limit:
        title = title[: min(len(title) - 1, len(title) * limit // tokens)]
    return title.rstrip()
