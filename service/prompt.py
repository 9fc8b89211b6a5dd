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


def _chatml_v1(query: str, title: str | None, document: str, max_words: int) -> tuple[Segment, ...]:
    heading = (Segment(title, ours=False), Segment("\n", ours=True)) if title else ()
    return (
        Segment(
            "<|im_start|>system\n"
            "You are a careful search assistant. You quote documents word for word.<|im_end|>\n"
            "<|im_start|>user\nQuery: ",
            ours=True,
        ),
        Segment(query, ours=False),
        Segment(f"\n{FENCE_OPEN}\n", ours=True),
        *heading,
        Segment(document, ours=False),
        Segment(f"\n{FENCE_CLOSE}\nQuery: ", ours=True),
        Segment(query, ours=False),
        Segment(
            f"\nQuote the part of the document that answers the query, in about {max_words} words.<|im_end|>\n"
            "<|im_start|>assistant\n",
            ours=True,
        ),
    )


VERSIONS: dict[str, Callable[[str, str | None, str, int], tuple[Segment, ...]]] = {"v1": _chatml_v1}


def render(version: str, *, query: str, title: str | None, document: str, max_words: int) -> tuple[Segment, ...]:
    """The prompt as segments. Raises KeyError for a version this release does not know.

    `query`, `title` and `document` must come from `service.documents`, which takes fence marks out of them.
    """
    return VERSIONS[version](query, title, document, max_words)


def encode(tokenizer: Tokenizer, segments: tuple[Segment, ...]) -> list[int]:
    """Token ids of the segments, each encoded by itself, so that no text reaches across a border of trust."""
    encoded = {  # the query stands there twice
        segment: (tokenizer.encode_template if segment.ours else tokenizer.encode)(segment.text)
        for segment in dict.fromkeys(segments)
    }
    return [token for segment in segments for token in encoded[segment]]
