"""The prompt of one request, within the model's window. Training, evaluation and serving build it here."""

from dataclasses import dataclass

from service import prompt
from service.passages import select
from service.tokenization import Tokenizer


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

    def encode(text: str) -> list[int]:
        segments = prompt.render(prompt_version, query=query, title=title, document=text, max_words=max_words)
        return prompt.encode(tokenizer, segments)

    budget = prompt_limit - len(encode(""))
    passage = select(document, query, budget=budget, count=tokenizer.count_each)
    return Window(encode(passage.text), passage.truncated)
