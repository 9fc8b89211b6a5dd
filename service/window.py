"""The prompt of one request, within the model's window. Training, evaluation and serving build it here."""

from dataclasses import dataclass

from service import prompt
from service.passages import select
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

    def encode(text: str) -> list[int]:
        segments = prompt.render(prompt_version, query=query, title=title, document=text, max_words=max_words)
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


def _shortened(tokenizer: Tokenizer, title: str, limit: int) -> str:
    """At most `limit` tokens of a title, so that there is always room for the document."""
    while (tokens := len(tokenizer.encode(title))) > limit:
        title = title[: min(len(title) - 1, len(title) * limit // tokens)]
    return title.rstrip()
