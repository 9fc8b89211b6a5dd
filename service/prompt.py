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


def _chatml_v3(query: str, title: str | None, document: Document, max_words: int) -> tuple[Segment, ...]:
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
    """One prompt, and how its answers begin.

    `marks`: what stands before the sentence that shares most with the query, and before the runners-up; None: no
    sentence is marked. `opening`: what an answer begins with that is not `NO_ANSWER`.
    """

    template: Callable[[str, str | None, Document, int], tuple[Segment, ...]]
    marks: tuple[Segment, Segment] | None = None
    opening: str = ""


# Control tokens of the vocabulary: no text from outside can be encoded to them, and `Tokenizer.decode` leaves them out.
# Most of the vocabulary's unused ones have one and the same embedding (cosines of 1.00); these two differ (0.73).
_BEST, _GOOD = "<filename>", "<file_sep>"

VERSIONS: dict[str, Version] = {
    "v1": Version(_chatml_v1),
    # Whether to answer is one token against one. Without the opening it would be the refusal against each of the
    # document's sentences, and greedy decoding would take the refusal when the model is four to one for answering.
    # The opening is the best sentence's mark, so that drafts from the prompt go on with that sentence.
    "v3": Version(_chatml_v3, marks=(Segment(_BEST, ours=True), Segment(_GOOD, ours=True)), opening=_BEST),
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
