"""Pages that the reader has in hand, and how long they take: one that it would come to too late is not given to it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from querygist.deadline import Deadline
from querygist.errors import ReaderUnavailable

_FIRST_RATE = 50_000.0  # characters a second, until one is known
_NEWEST = 0.1  # share of the newest rate in the mean
_SHARE = 0.5  # of the time that is left: the rest is for writing
_MOST_CHARACTERS = 10_000  # of a page; the reader reads 2,000 tokens at most


class Backlog:
    """Characters of the pages that are being read. For one event loop."""

    def __init__(self) -> None:
        self._characters = 0
        self._rate = _FIRST_RATE

    @contextmanager
    def page(self, characters: int, deadline: Deadline) -> Iterator[None]:
        """Count a page while it is read. Raises ReaderUnavailable when it would take over half of the time left."""
        own = min(characters, _MOST_CHARACTERS)
        ahead = self._characters
        if ahead and (ahead + own) / self._rate > _SHARE * deadline.remaining():
            raise ReaderUnavailable(f"The reader has {ahead:,} characters to read first.")
        began = time.monotonic()
        self._characters += own
        try:
            yield
        finally:
            self._characters -= own
        rate = (ahead + own) / max(time.monotonic() - began, 1e-4)
        self._rate += _NEWEST * (rate - self._rate)
