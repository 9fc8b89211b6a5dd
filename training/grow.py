"""Short copied answers become longer ones: whole sentences of the document around what people chose.

Most open data sets mark one sentence, and what a search page shows is two or three. A reader wants the answer first and
then what follows from it, so a target grows forwards; backwards where its first sentence needs the one before ("It was
built ..."), or where nothing follows. What comes out is a contiguous part of the document, word for word, and is marked
as derived.
"""

import re
from dataclasses import dataclass
from itertools import accumulate

from service.sentences import Span, sentence_spans
from training.sections import GrowConfig
from training.seeding import between, draw

_TITLE = re.compile(r"(?:\S+\s+){0,7}\S+|(?=.* - )(?:\S+\s+){0,15}\S+")
"""A first "sentence" like this is the page's title, as in "Rules of Engagement (TV series) - Recurring characters."."""

_FEWEST_WORDS = 3
"""A "sentence" of fewer words is a heading or an item of a list. Nothing grows over it."""

_LEANS_BACK = re.compile(
    r"\W*(?:"
    r"he|she|it|they|this|that|these|those|his|her|its|their|such|both|one|another|here|there|however|"
    r"moreover|furthermore|also|thus|therefore|hence|then|additionally|consequently|instead|nevertheless|"
    r"although|but|and|so|because|since|while|later|subsequently|finally|afterwards|meanwhile|similarly|"
    r"likewise|indeed|rather"
    r")\b",
    re.IGNORECASE,
)
"""Beginnings of sentences that need the one before."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A target; `span` is its place in the document. Not `derived`: it is what people chose."""

    text: str
    span: Span | None
    derived: bool


def grow(document: str, target: str, config: GrowConfig, seed: int, row_id: str) -> Grown:
    """The target, completed to whole sentences and, if it is short, grown to a length drawn from the config's range.

    `config.share` of the short targets are grown. A target that is no part of the document stays as it is, as does
    one that whole sentences would make longer than `max_words`.
    """
    start = document.find(target)
    if start < 0:
        return Grown(target, None, derived=False)
    whole = Grown(target, (start, start + len(target)), derived=False)
    sentences = sentence_spans(document)
    first = max(i for i, (begin, _) in enumerate(sentences) if begin <= start)
    last = min(i for i, (_, end) in enumerate(sentences) if end >= start + len(target.rstrip()))
    texts = [document[begin:end] for begin, end in sentences]
    sizes = [len(text.split()) for text in texts]
    if sum(sizes[first : last + 1]) > config.max_words:
        return whole
    if sum(sizes[first : last + 1]) < config.min_words and draw(seed, "grow", row_id) < config.share:
        goal = between(config.min_words, config.max_words, seed, "goal", row_id)
        first, last = _extend(texts, sizes, (first, last), _bounds(texts, first, last), goal, config)
    span = (sentences[first][0], sentences[last][1])
    text = document[slice(*span)]
    return Grown(text, span, derived=True) if text != target else whole


def _bounds(texts: list[str], first: int, last: int) -> Span:
    """The first and the last sentence that growing may reach."""
    walls = [i for i, text in enumerate(texts) if len(text.split()) < _FEWEST_WORDS]
    if _TITLE.fullmatch(texts[0]):
        walls.append(0)
    lowest = max((i + 1 for i in walls if i < first), default=0)
    highest = min((i - 1 for i in walls if i > last), default=len(texts) - 1)
    return lowest, highest


def _extend(texts: list[str], sizes: list[int], core: Span, bounds: Span, goal: int, config: GrowConfig) -> Span:
    """First and last sentence of `core`, extended one at a time until `goal` words, within `bounds`."""
    (first, last), (lowest, highest) = core, bounds
    totals = [0, *accumulate(sizes)]

    def reachable(one: int, other: int) -> bool:
        """Whether some extension of these sentences has a length within the range."""
        for begin in range(one, lowest - 1, -1):
            if totals[other + 1] - totals[begin] > config.max_words:
                return False
            for end in range(other, highest + 1):
                words = totals[end + 1] - totals[begin]
                if config.min_words <= words <= config.max_words:
                    return True
                if words > config.max_words:
                    break
        return False

    possible = reachable(first, last)
    while (words := totals[last + 1] - totals[first]) < goal:
        options = [
            (i, (min(first, i), max(last, i)))
            for i in (first - 1, last + 1)
            if lowest <= i <= highest and words + sizes[i] <= config.max_words
        ]
        options = [(i, span) for i, span in options if not possible or reachable(*span)]
        if words >= config.min_words:  # close enough: a sentence may overshoot the goal by no more than is missing
            options = [(i, span) for i, span in options if words + sizes[i] - goal <= goal - words]
        if not options:
            break
        _, (first, last) = options[0 if _LEANS_BACK.match(texts[first]) else -1]
    return first, last
