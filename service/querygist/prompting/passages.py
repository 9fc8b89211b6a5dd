"""The part of a page that a prompt holds: all of its units, or those that speak most to the query."""

from collections.abc import Callable, Sequence

from querygist.text.ranking import Ranking

TokenCounter = Callable[[Sequence[str]], list[int]]
"""Number of tokens of each text."""

_BATCH_CHARS_PER_TOKEN = 6  # units counted at once, for the budget that is left


def select(ranking: Ranking, *, budget: int, count: TokenCounter) -> list[int]:
    """Places of the units that fit into `budget` tokens, tried best first, in page order; none if not even the best.

    `count` is called on few and short texts. Each unit is charged one token for what stands before it.
    """
    order = ranking.order or range(len(ranking.units))
    chosen: list[int] = []
    tried = 0
    while tried < len(order) and budget > 1:
        batch, chars = [], 0
        for place in order[tried:]:
            batch.append(place)
            chars += ranking.units[place].end - ranking.units[place].start
            if chars > budget * _BATCH_CHARS_PER_TOKEN:
                break
        sizes = count([ranking.text[ranking.units[place].start : ranking.units[place].end] for place in batch])
        fitted = False
        for place, size in zip(batch, sizes, strict=True):
            if size + 1 <= budget:
                chosen.append(place)
                budget -= size + 1
                fitted = True
        tried += len(batch)
        if not fitted:  # what is left is too small to look further
            break
    return sorted(chosen)


def beginning(text: str, budget: int, count: TokenCounter) -> str:
    """As much of a text's beginning as fits: whole words if there are any, and never less than a character."""
    while len(text) > 1 and (size := count([text])[0]) > budget:
        text = text[: max(1, min(len(text) - 1, len(text) * budget // size))]
        text = text.rpartition(" ")[0] or text
    return text


def end(text: str, budget: int, count: TokenCounter) -> str:
    """As much of a text's end as fits: whole words if there are any, and never less than a character."""
    while len(text) > 1 and (size := count([text])[0]) > budget:
        text = text[-max(1, min(len(text) - 1, len(text) * budget // size)) :]
        text = text.partition(" ")[2] or text
    return text
