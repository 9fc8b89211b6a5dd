"""The prompt, in every version a shipped model was trained with.

A version, once a model has shipped with it, never changes: manifests select it by name, and training imports this
module, so that what the model learns on is what it is asked with. The layout follows IDEAL's finding that the query
belongs before *and* after the document (facts of the design: instruction, query, fenced document, query again,
length). The fixed instruction comes first, so that its keys and values are computed once and shared by every request.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase

from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import FENCE_CLOSE, FENCE_OPEN

NO_ANSWER = "The document does not answer the query."
"""What a model says, and only says, when the document does not speak to the query."""


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


def _chatml_v4(query: str, title: str | None, document: Document, max_words: int) -> tuple[Segment, ...]:
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


# Control tokens of the vocabulary: no text from outside can be encoded to them, and `Tokenizer.decode` leaves them out.
# Of 17 there 13 have one and the same embedding (cosines of 1.00), the end token's and BEST's among them; LABEL is one
# that can be told from it (0.71), and so be written. BEST is only read.
LABEL, BEST = "<filename>", "<file_sep>"

LETTERS = ascii_uppercase + ascii_lowercase
"""Labels of sentences, beside LABEL. Each is one token."""


@dataclass(frozen=True, slots=True)
class Version:
    """One prompt. `labelled`: its document's sentences have labels, and an answer that is not `NO_ANSWER` begins as the
    sentence it quotes does, with `LABEL` and the sentence's own.
    """

    template: Callable[[str, str | None, Document, int], tuple[Segment, ...]]
    labelled: bool = False


UNTRAINED = "v1"
"""For chat models that were not trained for any of them."""

VERSIONS: dict[str, Version] = {
    UNTRAINED: Version(_chatml_v1),
    # Whether to answer is one token against one, and where to begin one of as many as there are sentences. Without them
    # it would be the refusal against the first words of each sentence, and greedy decoding would take the refusal when
    # the model is four to one for answering. Opening and label stand before the sentence as well, so that drafts from
    # the prompt go on with it.
    "v4": Version(_chatml_v4, labelled=True),
}


def opening_id(version: str, tokenizer: Tokenizer) -> int | None:
    """The id that answers begin with; None where they begin with their text."""
    return tokenizer.id_of(LABEL) if VERSIONS[version].labelled else None


def label_of(version: str, tokenizer: Tokenizer, ids: Sequence[int]) -> str | None:
    """The letter of the sentence that an answer of these ids begins with; None before that is known, or where none is.

    `BEST` may stand before the label, copied from the prompt.
    """
    control = {tokenizer.id_of(token) for token in (LABEL, BEST)}
    after = next((place for place, id_ in enumerate(ids) if id_ not in control), None)
    if not VERSIONS[version].labelled or not after:
        return None
    letter = tokenizer.decode([ids[after]])
    return letter if letter in LETTERS else None


@dataclass(frozen=True, slots=True)
class Marks:
    """The ids of what is no text in an answer: `control` tokens, and the `letters` before and after them."""

    control: frozenset[int] = frozenset()
    letters: frozenset[int] = frozenset()

    def text_ids(self, ids: Sequence[int], *, whole: bool) -> list[int]:
        """The ids of an answer that are its text. Of one that is not `whole` yet, none that may still become a label.

        An answer begins with a label. One that quotes on may copy the labels between two sentences as well.
        """
        text: list[int] = []
        place = 0
        while place < len(ids):
            if ids[place] not in self.control:
                text.append(ids[place])
            else:
                if text and text[-1] in self.letters:
                    text.pop()
                while place < len(ids) and ids[place] in self.control:
                    place += 1  # where a letter follows, it is the next sentence's
            place += 1
        return text[:-1] if not whole and text and text[-1] in self.letters else text


@lru_cache(maxsize=8)
def marks_of(version: str, tokenizer: Tokenizer) -> Marks:
    """The marks in answers of this version; none where its documents have no labels."""
    if not VERSIONS[version].labelled:
        return Marks()
    control, letters = (map(tokenizer.id_of, tokens) for tokens in ((LABEL, BEST), LETTERS))
    return Marks(*(frozenset(id_ for id_ in ids if id_ is not None) for ids in (control, letters)))


def render(version: str, *, query: str, title: str | None, document: Document, max_words: int) -> tuple[Segment, ...]:
    """The prompt as segments. Raises KeyError for a version this release does not know.

    `query`, `title` and `document` must come from `querygist.text.cleaning`, which takes fence marks out of them.
    """
    return VERSIONS[version].template(query, title, document, max_words)


def encode(tokenizer: Tokenizer, segments: tuple[Segment, ...]) -> list[int]:
    """Token ids of the segments, each encoded by itself, so that no text reaches across a border of trust."""
    encoded = {  # the query stands there twice
        segment: (tokenizer.encode_template if segment.ours else tokenizer.encode)(segment.text)
        for segment in dict.fromkeys(segments)
    }
    return [token for segment in segments for token in encoded[segment]]
