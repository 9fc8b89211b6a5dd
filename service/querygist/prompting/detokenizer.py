"""Token ids to text that can be sent at once: never half a character, never a word that would have to be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from querygist.prompting.templates import NO_ANSWER, Marks, marks_of
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.sentences import ends_with_sentence, first_sentence, sentence_ends
from querygist.text.unicode import one_line

_INCOMPLETE = "\ufffd"  # what bytes decode to that are no character, or none yet


_NO_MARKS = Marks()


class Decoder(Protocol):
    """The part of a tokenizer that is needed here."""

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; bytes that form no character as U+FFFD."""
        ...


@dataclass(frozen=True, slots=True)
class Final:
    """`text` is the summary: what was pushed, and then `tail`. "" when the document does not answer the query."""

    tail: str
    text: str
    answerable: bool


class Detokenizer:
    """One summary in the making: one paragraph of at most `max_words` words, as `len(text.split())` counts them.

    The first sentence is sent as it grows, since it is kept whatever comes: it is cut, if it must be, between words,
    at the bound. Of the later ones each is sent when it is over, because a summary that reaches the bound is cut at
    the last sentence end. What may become `NO_ANSWER` is held back.
    """

    def __init__(self, tokenizer: Decoder, *, max_words: int, marks: Marks = _NO_MARKS) -> None:
        """`marks`: what is no text of the ids, see `querygist.prompting.templates.marks_of`."""
        self._tokenizer = tokenizer
        self._marks = marks
        self._max_words = max_words
        self._ids: list[int] = []
        self._text = ""
        self._sent = ""

    @classmethod
    def answering(cls, prompt_version: str, tokenizer: Tokenizer, *, max_words: int) -> Self:
        """For the ids that a model answers a prompt of this version with."""
        return cls(tokenizer, max_words=max_words, marks=marks_of(prompt_version, tokenizer))

    @property
    def full(self) -> bool:
        """True when further tokens can add nothing: stop the generation."""
        return not NO_ANSWER.startswith(self._text) and len(self._text.split()) > self._max_words

    def push(self, ids: Sequence[int]) -> str:
        """Take token ids; return the text that became safe to send, often ""."""
        self._ids += ids
        self._text = self._decoded(whole=False)
        if NO_ANSWER.startswith(self._text):
            return ""
        safe = self._finished_sentences() or self._bounded(first_sentence(self._text))
        new, self._sent = safe[len(self._sent) :], safe
        return new

    def finish(self, reason: Literal["stop", "length"]) -> Final:
        """The end: the model said so ("stop"), or was stopped by its token limit ("length") or because of `full`.

        When it was stopped, an unfinished last sentence is dropped, unless it is the only one.
        """
        self._text = self._decoded(whole=True)
        if self._text in ("", NO_ANSWER):
            return Final("", "", answerable=False)
        text = self._bounded(self._text)
        if text != self._text or (reason == "length" and not ends_with_sentence(self._text)):
            text = self._finished_sentences() or text
        return Final(text[len(self._sent) :], text, answerable=True)

    def _decoded(self, *, whole: bool) -> str:
        ids = self._marks.text_ids(self._ids, whole=whole)
        return one_line(self._tokenizer.decode(ids).replace(_INCOMPLETE, ""))

    def _bounded(self, text: str) -> str:
        """The text, cut between words at the bound. A word there is what stands between two spaces."""
        return " ".join(text.split(" ")[: self._max_words])

    def _finished_sentences(self) -> str:
        """The sentences that are certainly over and within the bound; "" when the first is not."""
        bound = len(self._bounded(self._text))
        return self._text[: max((end for end in sentence_ends(self._text) if end <= bound), default=0)]
