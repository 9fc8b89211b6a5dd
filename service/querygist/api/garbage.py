"""Cyclic garbage, collected between requests and not in their midst.

A full collection looks at every object there is: with a few long documents in hand it held the event loop for 0.15 s
(`python -m loadtest faults long_documents`). Reference counting frees nearly everything without it.
"""

import gc
import time

IDLE_SECONDS = 10.0
"""Between two full collections, while nothing is in hand."""

MAX_SECONDS = 300.0
"""The longest time without one, however much is in hand."""

_NEVER = 1_000_000


class GarbageCollector:
    """Takes full collections away from Python's own collector, for the rest of the process."""

    def __init__(self) -> None:
        gc.collect()
        gc.freeze()  # what is there now stays, and need not be looked at again
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, _NEVER)
        self._collected_at = time.monotonic()

    def collect(self, *, idle: bool) -> None:
        """Collect if it is time; to be called again and again. `idle`: nothing is in hand."""
        if time.monotonic() - self._collected_at > (IDLE_SECONDS if idle else MAX_SECONDS):
            gc.collect()
            self._collected_at = time.monotonic()
