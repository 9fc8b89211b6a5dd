"""Pages as the network takes them: augmented, cut to a window, tokenized, with the base's similarity beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from querygist.reader.input_format import LIMITS, InputEncoder
from training.reader.mixture import Page
from training.reader.pages import Chances, as_page, as_typed
from training.reader.units import Unit

UNKNOWN = -1
_WINDOWS = (192, 192, 192, 256, 256, 256, 384, LIMITS.tokens)
"""Most windows are short: a step costs by its tokens, and what is learnt is about units beside the answer."""


@dataclass(frozen=True, slots=True)
class Example:
    """`ids`, `types` are of one length; `places`, `answers` (1, 0, UNKNOWN), `texts` one for each unit; `page` is 1, 0
    or UNKNOWN. `texts` and `query` are what the base's similarity is taken of.
    """

    id: str
    source: str
    ids: NDArray[np.int32]
    types: NDArray[np.int8]
    places: NDArray[np.int32]
    answers: NDArray[np.int8]
    page: int
    query: str
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


def augmented(
    pages: Sequence[Page],
    encoder: InputEncoder,
    seed: int,
    chances: Chances | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[Example]:
    """Return an example of each page, made to look like one; neighbours are other pages of the same source."""
    chances = chances or Chances()
    by_source: dict[str, list[Page]] = {}
    for page in pages:
        by_source.setdefault(page.source, []).append(page)
    made: list[Example] = []
    for number, page in enumerate(pages):
        advance()
        random = Random(f"{seed} page {number}")  # noqa: S311
        neighbours = [random.choice(by_source[page.source]) for _ in range(random.randint(1, 2))]
        texts = {unit.text for unit in page.units}
        others = [
            near.units
            for near in neighbours
            if near.query != page.query and texts.isdisjoint(u.text for u in near.units)
        ]
        query = as_typed(page.query, random, chances)
        units = as_page(page.query, page.units, others, random, chances)
        example = encode(page, query, units, encoder, random.choice(_WINDOWS), random)
        if example is not None:
            made.append(example)
    return made


def encode(
    page: Page, query: str, units: Sequence[Unit], encoder: InputEncoder, max_tokens: int, random: Random | None
) -> Example | None:
    """Return an example of at most `max_tokens`; with `random`, a window somewhere that holds a unit that answers."""
    start = 0 if random is None else _window(units, query, encoder, max_tokens, random)
    window = units[start:]
    found = encoder.encode(query, [unit.text for unit in window], [unit.headings for unit in window], max_tokens)
    window = window[: len(found.places)]
    if not window:
        return None
    answers = [UNKNOWN if unit.answers is None else int(unit.answers) for unit in window]
    label = UNKNOWN if page.answerable is None else int(page.answerable)
    if label == 1 and any(unit.answers for unit in units) and 1 not in answers:
        label = UNKNOWN
    return Example(
        page.id,
        page.source,
        np.array(found.ids, np.int32),
        np.array(found.types, np.int8),
        np.array(found.places, np.int32),
        np.array(answers, np.int8),
        label,
        query,
        tuple(unit.source_text for unit in window),
    )


def _window(units: Sequence[Unit], query: str, encoder: InputEncoder, max_tokens: int, random: Random) -> int:
    """Return where a window begins: at 0 if all fits, else so that a unit that answers has a random place in it."""
    lengths = [len(encoder.tokens(unit.text)) + 1 for unit in units]
    room = max_tokens - len(encoder.tokens(query)) - 2
    if sum(lengths) <= room:
        return 0
    wanted = [place for place, unit in enumerate(units) if unit.answers] or list(range(len(units)))
    start = random.choice(wanted)
    before = random.random() * (room - lengths[start])
    while start > 0 and before >= lengths[start - 1]:
        start -= 1
        before -= lengths[start]
    return start
