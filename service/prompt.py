"""The prompt, in every version a shipped model was trained with.

A version, once a model has shipped with it, never changes: manifests select it by name, and training imports this
module, so that what the model learns on is what it is asked with. The layout follows IDEAL's finding that the query
belongs before *and* after the document (facts of the design: instruction, query, fenced document, query again,
length). The fixed instruction comes first, so that its keys and values are computed once and shared by every request.
"""

from collections.abc import Callable
from dataclasses import dataclass

from service.tokenization import Tokenizer

NO_ANSWER = "The document does not answer the query."
"""What a model says, and only says, when the document does not speak to the query."""

FENCE_OPEN = "<document>"
FENCE_CLOSE = "</document>"


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of prompt text, and whether it is ours. Control tokens count only in text that is ours."""

    text: str
    ours: bool


Document = tuple[Segment, ...]
"""A document as it stands in the prompt: its text, and what we put between its sentences."""


def _chatml_v1(query: str, title: str | None, document: Document, max_words: int) -> tuple[Segment, ...]:
    return (
        Segment(
            "<|im_start|>system\n"
            "You are a careful search assistant. You quote documents word for word.<|im_end|>\n"
            "<|im_start|>user\nQuery: ",
            ours=True,
        ),
        Segment(query, ours=False),
        Segment(f"\n{FENCE_OPEN}\n", ours=True),
        *_heading(title),
        *document,
        Segment(f"\n{FENCE_CLOSE}\nQuery: ", ours=True),
        Segment(query, ours=False),
        Segment(
            f"\nQuote the part of the document that answers the query, in about {max_words} words.<|im_end|>\n"
            "<|im_start|>assistant\n",
            ours=True,
        ),
    )


def _chatml_v2(query: str, title: str | None, document: Document, max_words: int) -> tuple[Segment, ...]:
    """v1 without what only a general chat model needs to be told: prefill is most of a request's time."""
    return (
        Segment("<|im_start|>user\nQuery: ", ours=True),
        Segment(query, ours=False),
        Segment(f"\n{FENCE_OPEN}\n", ours=True),
        *_heading(title),
        *document,
        Segment(f"\n{FENCE_CLOSE}\nQuery: ", ours=True),
        Segment(query, ours=False),
        Segment(
            f"\nQuote the answer in at most {max_words} words.<|im_end|>\n<|im_start|>assistant\n",
            ours=True,
        ),
    )


def _heading(title: str | None) -> Document:
    return (Segment(title, ours=False), Segment("\n", ours=True)) if title else ()


@dataclass(frozen=True, slots=True)
class Version:
    """One prompt. `mark` stands before the sentences that share most with the query; None: no sentence is marked."""

    template: Callable[[str, str | None, Document, int], tuple[Segment, ...]]
    mark: Segment | None = None


# A control token of the vocabulary that nothing else uses: no text from outside can be encoded to it.
_EVIDENCE = Segment("<file_sep>", ours=True)

VERSIONS: dict[str, Version] = {
    "v1": Version(_chatml_v1),
    "v2": Version(_chatml_v2, mark=_EVIDENCE),
}


def render(version: str, *, query: str, title: str | None, document: Document, max_words: int) -> tuple[Segment, ...]:
    """The prompt as segments. Raises KeyError for a version this release does not know.

    `query`, `title` and `document` must come from `service.documents`, which takes fence marks out of them.
    """
    return VERSIONS[version].template(query, title, document, max_words)


def encode(tokenizer: Tokenizer, segments: tuple[Segment, ...]) -> list[int]:
    """Token ids of the segments, each encoded by itself, so that no text reaches across a border of trust."""
    encoded = {  # the query stands there twice
        segment: (tokenizer.encode_template if segment.ours else tokenizer.encode)(segment.text)
        for segment in dict.fromkeys(segments)
    }
    return [token for segment in segments for token in encoded[segment]]
