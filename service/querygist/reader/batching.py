"""Inputs of like length as one padded batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from querygist.reader.input_format import PAD, ReaderInput

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class PaddedInputs:
    """int32 `ids`, `types`, `mask`: [rows, length]; `places`: [rows, most units], 0 where no unit is."""

    ids: Ints
    types: Ints
    mask: Ints
    places: Ints


def padded(inputs: Sequence[ReaderInput], step: int = 1) -> PaddedInputs:
    """Return inputs padded on the right, lengths and numbers of units to multiples of `step`. Raises ValueError when an
    input's lists do not belong together.
    """
    for one in inputs:
        if len(one.types) != len(one.ids) or any(not 0 <= place < len(one.ids) for place in one.places):
            raise ValueError("types or places that do not belong to the ids")
    rows = len(inputs)
    length = _up(max(len(one.ids) for one in inputs), step)
    units = _up(max(1, *(len(one.places) for one in inputs)), step)
    ids, types = np.full((rows, length), PAD, np.int32), np.zeros((rows, length), np.int32)
    mask, places = np.zeros_like(types), np.zeros((rows, units), np.int32)
    for row, one in enumerate(inputs):
        ids[row, : len(one.ids)] = one.ids
        types[row, : len(one.types)] = one.types
        mask[row, : len(one.ids)] = 1
        places[row, : len(one.places)] = one.places
    return PaddedInputs(ids, types, mask, places)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
