"""The prompt of one request, within the model's window. Training, evaluation and serving build it here."""

from dataclasses import dataclass

from querygist.prompting import sentence_markers, templates
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.passages import select

_CHARS_PER_TOKEN = 8
"""A document longer than so many characters for each token of the prompt is not tried as a whole: it will not fit."""


@dataclass(frozen=True, slots=True)
class Window:
    """Prompt token ids, the text of the document that they hold, and whether that is its query-relevant part only."""

    ids: list[int]
    text: str
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

    Texts must have come through `querygist.text.cleaning`.
    """

    title = _shortened(tokenizer, title, prompt_limit // 8) if title else None

    def encode(text: str) -> list[int]:
        labelled = sentence_markers.document(prompt_version, text, query)
        segments = templates.render(prompt_version, query=query, title=title, document=labelled, max_words=max_words)
        return templates.encode(tokenizer, segments)

    if len(document) <= prompt_limit * _CHARS_PER_TOKEN:
        ids = encode(document)
        if len(ids) <= prompt_limit:
            return Window(ids, document, truncated=False)
    budget = prompt_limit - len(encode(""))
    while True:
        passage = select(document, query, budget=budget, count=tokenizer.count_each)
        ids = encode(passage.text)
        if len(ids) <= prompt_limit:
            return Window(ids, passage.text, passage.truncated)
        # Labels come on top, three tokens a sentence. Fewer sentences have fewer: no need to make room for all of them.
        budget -= max(1, min(len(ids) - prompt_limit, budget // 4))


def _shortened(tokenizer: Tokenizer, title: str, limit: int) -> str:
    """At most `limit` tokens of a title, so that there is always room for the document."""
    while (tokens := len(tokenizer.encode(title))) > limit:
        title = title[: min(len(title) - 1, len(title) * limit // tokens)]
    return title.rstrip()
