"""Step compression and acceptance of some rows, and what they would mean on a GPU."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from querygist.sizing.gpus import GPUS
from querygist.sizing.roofline import STUDENT, speedup
from training.lookahead.ngram_pool import Shape

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `given`: tokens of each pass, the prompt's first, by shape. `differing`: shapes whose output was not
    the greedy one.
    """

    extractive: bool
    prompt_tokens: int
    given: Mapping[Shape, Sequence[int]]
    differing: Sequence[Shape]


@dataclass(frozen=True, slots=True)
class Compression:
    """Of some rows under one shape: `whole`, tokens for each pass; `decoding`, without the prompt's pass and its token.

    `accepted`: of the passes after the prompt's, the share that accepted at least 1, 2, ... N-1 drafts.
    """

    rows: int
    whole: float
    decoding: float
    accepted: tuple[float, ...]


def compression(rows: Iterable[Row], shape: Shape) -> Compression | None:
    """Over the rows that have this shape; None when there are none."""
    found = [row.given[shape] for row in rows if shape in row.given]
    passes = [count for given in found for count in given[1:]]
    if not passes:
        return None
    return Compression(
        rows=len(found),
        whole=sum(map(sum, found)) / sum(map(len, found)),
        decoding=mean(passes),
        accepted=tuple(mean(count > drafts for count in passes) for drafts in range(1, shape.ngram)),
    )


GROUPS: dict[str, Callable[[Row], bool]] = {
    "all": lambda _: True,
    "extractive": lambda row: row.extractive,
    "abstractive": lambda row: not row.extractive,
}


Speedups = Mapping[tuple[str, int, Shape], float]
"""By name of the GPU, batch and shape."""


def speedups(shapes: Sequence[Shape], rows: Sequence[Row], context: int) -> Speedups:
    """Return the speed-ups of decoding over one token a pass, with `context` tokens before.

    By the roofline of service/querygist/sizing/roofline.py, which no GPU here has confirmed.
    """
    found = {shape: compression(rows, shape) for shape in shapes}
    return {
        (name, batch, shape): speedup(gpu, STUDENT, one.decoding, shape.tokens, batch, context)
        for name, gpu in GPUS.items()
        for batch in BATCHES
        for shape, one in found.items()
        if one
    }
