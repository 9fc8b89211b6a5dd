"""The n-gram pool of lookahead decoding: what may follow the last token, from the text so far and from the window.

TensorRT-LLM seeds its pool from the prompt and keeps the newest G n-grams of a token (cpp/tensorrt_llm/runtime/
lookahead, `LookaheadPoolManager`). In a copying task the right continuation is often an early one, so this keeps all of
the text's and ranks them by how much of what came before agrees: the longest suffix match first, then the newest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LONGEST_MATCH = 8
"""Ids compared backwards; longer agreement says nothing more."""


@dataclass(frozen=True, slots=True)
class Shape:
    """(W, N, G) of Fu et al., "Break the Sequential Dependency of LLM Inference Using Lookahead Decoding" (2024).

    `window` W: columns of the lookahead branch; 0: no branch, n-grams of the text alone. `ngram` N: its levels and one,
    so a pass gives at most N tokens. `verification_set` G: n-grams tried in a pass. Raises ValueError if not legal.
    """

    window: int
    ngram: int
    verification_set: int

    def __post_init__(self) -> None:
        if self.window < 0 or self.ngram < 2 or self.verification_set < 0:
            raise ValueError(f"(W, N, G) = {self}: W and G start at 0, and N at 2.")

    def __str__(self) -> str:
        return f"({self.window},{self.ngram},{self.verification_set})"

    @property
    def numbers(self) -> tuple[int, int, int]:
        """The three, in order."""
        return self.window, self.ngram, self.verification_set

    @property
    def tokens(self) -> int:
        """Tokens of one forward pass when all G n-grams are there: (W + G)(N - 1), and the last token where W is 0."""
        return (self.window + self.verification_set) * (self.ngram - 1) + (self.window == 0)


class Pool:
    """N-grams by their first token: those of the text (prompt, and all that was emitted), and the window's guesses."""

    def __init__(self, shape: Shape, text: Iterable[int]) -> None:
        self._shape = shape
        self._text: list[int] = []
        self._places: dict[int, list[int]] = {}
        self._guesses: dict[int, dict[tuple[int, ...], int]] = {}
        self.extend(text)

    @property
    def text(self) -> Sequence[int]:
        """Prompt and output so far."""
        return self._text

    def extend(self, ids: Iterable[int]) -> None:
        """The text goes on."""
        for id_ in ids:
            self._places.setdefault(id_, []).append(len(self._text))
            self._text.append(id_)

    def guess(self, key: int, following: Sequence[int]) -> None:
        """An n-gram of the window: `following`, N-1 ids, may come after `key`. The newest G of a key are kept."""
        kept = self._guesses.setdefault(key, {})
        kept.pop(tuple(following), None)
        kept[tuple(following)] = len(self._text)
        while len(kept) > self._shape.verification_set:
            del kept[next(iter(kept))]

    def candidates(self) -> list[tuple[int, ...]]:
        """At most G different continuations of the text, of N-1 ids each, the likeliest first."""
        last, size = self._text[-1], self._shape.ngram - 1
        ranked: dict[tuple[int, ...], tuple[int, int, int]] = {}
        for place in self._places[last]:
            following = tuple(self._text[place + 1 : place + 1 + size])
            if len(following) == size:
                rank = (self._agreement(place), place, 0)
                ranked[following] = max(rank, ranked.get(following, rank))
        for order, (following, time) in enumerate(self._guesses.get(last, {}).items()):
            rank = (1, time, order)
            ranked[following] = max(rank, ranked.get(following, rank))
        return sorted(ranked, key=lambda following: ranked[following], reverse=True)[: self._shape.verification_set]

    def _agreement(self, place: int) -> int:
        """Return the number of ids up to and with `place` that are those at the end of the text."""
        end = len(self._text) - 1
        length = 1  # the last token itself
        while length < min(_LONGEST_MATCH, place + 1) and self._text[place - length] == self._text[end - length]:
            length += 1
        return length


def accepted(candidate: Sequence[int], truth: Sequence[int]) -> int:
    """Return the number of ids of the candidate that greedy decoding gives next."""
    count = 0
    while count < min(len(candidate), len(truth)) and candidate[count] == truth[count]:
        count += 1
    return count


def replay(shape: Shape, prompt: Sequence[int], output: Sequence[int]) -> list[int]:
    """Tokens that each forward pass gives when the text's own n-grams are verified, the prompt's pass first.

    Needs no model, since greedy output does not depend on what is drafted: `output` is that of plain greedy decoding,
    its end id included. Raises ValueError for a shape with a window, whose n-grams only the model can tell.
    """
    if shape.window:
        raise ValueError(f"The window of {shape} cannot be replayed without the model.")
    pool = Pool(shape, prompt)
    given, done = [], 0
    while done < len(output):
        drafts = pool.candidates() if done else []  # the prompt's pass gives the first token
        best = max((accepted(draft, output[done:]) for draft in drafts), default=0)
        new = output[done : done + best + 1]
        pool.extend(new)
        given.append(len(new))
        done += len(new)
    return given
