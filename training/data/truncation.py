"""Documents that do not fit into the prompt, cut to a window of whole sentences.

Serving would cut them to the passages that speak to the query, which is a search for the answer already. Training
cuts a contiguous window and puts the answer at a random place in it, so that the place tells nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from querygist.pipeline.attribution import attribute
from querygist.prompting import prompt_builder
from querygist.prompting.prompt_builder import Window
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import CleanDocument
from querygist.text.ranking import NOTHING, Ranking
from querygist.text.sentences import Span, bounded_spans
from training.data.examples import ranked
from training.stable_random import draw


@dataclass(frozen=True, slots=True)
class Truncator:
    """Cuts documents to the prompt `prompt_version` of at most `prompt_limit` tokens."""

    tokenizer: Tokenizer
    prompt_version: str
    prompt_limit: int
    seed: int

    def fits(self, query: str, document: str, max_words: int) -> bool:
        """Return whether the model reads the whole document."""
        return not self._prompt(query, ranked(document, query), max_words, self.prompt_limit).truncated

    def around(self, query: str, document: str, answer: Span, max_words: int, row_id: str) -> str | None:
        """Return the document, or a window with the sentences of `answer`; None when these alone do not fit."""
        if self.fits(query, document, max_words):
            return document
        sentences = bounded_spans(document)
        first = max(i for i, (start, _) in enumerate(sentences) if start <= answer[0])
        last = min(i for i, (_, end) in enumerate(sentences) if end >= answer[1])
        return self._window(query, document, sentences, (first, last), max_words, row_id)

    def around_sources(self, query: str, document: str, summary: str, max_words: int, row_id: str) -> str:
        """Return the same for a summary in own words: around all that it quotes, or the service's own passages."""
        if self.fits(query, document, max_words):
            return document
        sources = attribute(summary, CleanDocument(document, source=document)).sources
        if sources:
            hull = (sources[0][0], sources[-1][1])
            if cut := self.around(query, document, hull, max_words, row_id):
                return cut
        return self._prompt(query, ranked(document, query), max_words, self.prompt_limit).marked.text

    def anywhere(self, query: str, document: str, max_words: int, row_id: str) -> str | None:
        """Return the document, or a window at a random place of it; None when the sentence there does not fit."""
        if self.fits(query, document, max_words):
            return document
        sentences = bounded_spans(document)
        at = int(draw(self.seed, "anywhere", row_id) * len(sentences))
        return self._window(query, document, sentences, (at, at), max_words, row_id)

    def _prompt(self, query: str, ranking: Ranking, max_words: int, limit: int) -> Window:
        return prompt_builder.fit(
            self.tokenizer,
            ranking,
            prompt_version=self.prompt_version,
            prompt_limit=limit,
            query=query,
            title=None,
            max_words=max_words,
        )

    def _room(self, query: str, max_words: int) -> int:
        """Return the tokens that a prompt leaves for the document."""
        return self.prompt_limit - len(self._prompt(query, NOTHING, max_words, 1 << 30).ids)

    def _window(
        self, query: str, document: str, sentences: Sequence[Span], core: Span, max_words: int, row_id: str
    ) -> str | None:
        """`core`: first and last sentence that must be in it. A random share of the room goes before them."""
        sizes = [size + 1 for size in self.tokenizer.count_each([document[start:end] for start, end in sentences])]
        totals = [0, *accumulate(sizes)]
        share = draw(self.seed, "window", row_id)
        budget = self._room(query, max_words)
        while budget >= 0:
            first, last = core
            room = budget - (totals[last + 1] - totals[first])
            first, last = _widen(sizes, first, last, int(room * share), forward=False)
            room = budget - (totals[last + 1] - totals[first])
            first, last = _widen(sizes, first, last, room, forward=True)
            room = budget - (totals[last + 1] - totals[first])
            first, last = _widen(sizes, first, last, room, forward=False)  # where the document ended too soon
            text = document[sentences[first][0] : sentences[last][1]]
            if self.fits(query, text, max_words):
                return text
            if (first, last) == core:
                return None
            budget -= 4  # sentences joined may take a few tokens more than the sentences
        return None


def _widen(sizes: Sequence[int], first: int, last: int, room: int, *, forward: bool) -> Span:
    """Return as many sentences more, on one side, as `room` tokens hold."""
    while True:
        next_ = last + 1 if forward else first - 1
        if not 0 <= next_ < len(sizes) or sizes[next_] > room:
            return first, last
        room -= sizes[next_]
        first, last = min(first, next_), max(last, next_)
