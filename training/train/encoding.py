"""Examples as token ids: the prompt as the service builds it, the summary, the end id."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from querygist.engines.base import Identity
from querygist.pipeline.attribution import attribute
from querygist.prompting.sentence_markers import Sentence, on_one_line, place_of
from querygist.prompting.templates import LABEL, NO_ANSWER, opening_id
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import CleanDocument
from querygist.text.sentences import sentence_ends
from training.data.examples import Example, prompt_window
from training.data.extend_targets import following


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of one example; the end id is the last of a whole `target`.

    `ends`: places in the prompt of the labelled sentences' ends, and `answers` of the same length, which of them it is
    that the target begins with.
    """

    prompt: tuple[int, ...]
    target: tuple[int, ...]
    ends: tuple[int, ...] = ()
    answers: tuple[bool, ...] = ()

    def __len__(self) -> int:
        return len(self.prompt) + len(self.target)


def encode(
    example: Example, tokenizer: Tokenizer, identity: Identity, *, longest: int | None = None, reads_on: bool = True
) -> Encoded:
    """Return the ids the engine will see for this example, and those it should answer with, at most `longest`.

    A quote that `reads_on` goes on with the next sentence, and only ends where the document does: the service cuts at
    the last whole sentence within `max_words`. A model that had to count words would stop a sentence early in every
    second answer.
    """
    window = prompt_window(example, tokenizer, identity)
    opening = opening_id(identity.prompt_version, tokenizer)
    sentences = window.marked.sentences if opening is not None else ()
    if example.summary == NO_ANSWER:
        begin, answer = None, tokenizer.encode(NO_ANSWER)
    else:
        begin, text = _answer(window.marked.text, example.summary, sentences, reads_on)
        label = "" if begin is None else LABEL + sentences[begin].letter
        answer = [*tokenizer.encode_template(label), *tokenizer.encode(text)]
    target = [*answer[: identity.output_limit - 1], identity.end_id][:longest]
    ends = _ends(window.ids, opening, [tokenizer.id_of(sentence.letter) for sentence in sentences])
    return Encoded(tuple(window.ids), tuple(target), ends, tuple(place == begin for place in range(len(ends))))


def _answer(document: str, summary: str, sentences: Sequence[Sentence], reads_on: bool) -> tuple[int | None, str]:
    """Return the sentence in which an answer begins, and its text as it goes on from the label there.

    A quote is one over line ends as well. One in own words begins at the first place that its first sentence quotes.
    """
    quote = re.search(r"\s+".join(map(re.escape, summary.split())), document)
    if quote:
        at, text = quote.start(), quote[0] + (following(document, quote[0]) if reads_on else "")
    else:
        opening = summary[: next(iter(sentence_ends(f"{summary} The ")), None)]
        sources = attribute(opening, CleanDocument(document, source=document)).sources
        at, text = sources[0][0] if sources else 0, summary
    begin = place_of(sentences, at)
    behind = begin is not None and document[sentences[begin].start - 1 : sentences[begin].start].isspace()
    return begin, " " * behind + on_one_line(text)


def _ends(prompt: Sequence[int], opening: int | None, letters: Sequence[int | None]) -> tuple[int, ...]:
    """Return the places of the second label of each sentence: before what leads to the next one's first."""
    places = [place for place, id_ in enumerate(prompt) if id_ == opening]
    ends = []
    for label, letter in zip(places[1:], letters, strict=True):
        end = label - 1
        while prompt[end] != letter:
            end -= 1
        ends.append(end)
    return tuple(ends)
