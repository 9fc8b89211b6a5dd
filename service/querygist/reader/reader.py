"""The gateway's side of the reader: pages in, readings out; a worker process computes them.

While the worker is gone, `read` raises ReaderUnavailable at once, and the caller chooses without it.
"""

import asyncio
import itertools
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from querygist.artifact.reader_card import ReaderCard
from querygist.deadline import Deadline
from querygist.errors import DeadlineExceeded, ReaderUnavailable
from querygist.reader.pages import PageEncoder, PageToRead, Reading, load_tokenizer, readings
from querygist.reader.windows import Window
from querygist.worker.process import as_line
from querygist.worker.supervised import LOAD_SECONDS, SupervisedWorker

WORKER = (sys.executable, "-m", "querygist.reader.worker")

READY = "ready"

_TOKENIZING = ThreadPoolExecutor(1, thread_name_prefix="reader-tokenizer")
"""The tokenizer does not hold the GIL: in a thread it does not keep the event loop."""


class Reader:
    """One worker process and the pages it reads. For one event loop."""

    def __init__(
        self,
        card: ReaderCard,
        folder: Path,
        *,
        threads: int,
        stall_seconds: float,
        precise: bool = False,
        worker: Sequence[str] = WORKER,
    ) -> None:
        """`folder` holds the card's files. `threads` of the worker; 0: one for each core. `precise`: all in float32.

        `stall_seconds`: the silence after which a worker that owes an answer is replaced. Raises OSError.
        """
        self.card = card
        self._encoder = PageEncoder(load_tokenizer(folder / card.tokenizer.file), card.limits)
        weights = (card.weights.embeddings, card.weights.layers)
        options = {
            "files": [str(folder / entry.file) for entry in weights],
            "threads": threads,
            "max_tokens": card.limits.tokens,
            "precise": precise,
        }
        model = f"{card.name} {card.version}"
        self._worker = SupervisedWorker("reader", worker, options, model=model, stall_seconds=stall_seconds)
        self._keys = itertools.count()

    @property
    def status(self) -> str:
        """READY, or why it is not: "not started", "loading", "restarting after a failure"."""
        return READY if self._worker.pid is not None else self._worker.state

    @property
    def pid(self) -> int | None:
        """The process id of a worker that has loaded, while there is one."""
        return self._worker.pid

    async def start(self) -> None:
        """Start the worker in the background; `read` raises ReaderUnavailable until it has loaded."""
        self._worker.start()

    async def ready(self, seconds: float = LOAD_SECONDS) -> None:
        """Wait until a worker has loaded. Raises ReaderUnavailable when none has within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._worker.loaded.wait()
        except TimeoutError:
            raise ReaderUnavailable(f"The reader is {self.status}: it has not loaded in {seconds:g} s.") from None

    async def close(self) -> None:
        """End the worker; pages that it holds raise ReaderUnavailable."""
        await self._worker.close()

    async def read(self, pages: Sequence[PageToRead], deadline: Deadline) -> list[Reading]:
        """Return a reading of each page; the worker gets all of them in one message.

        Raises ReaderUnavailable when there is no worker, it ends or it cannot read these pages, and DeadlineExceeded.
        A caller that is cancelled, or whose deadline passes, takes its pages back.
        """
        self._check_ready()
        try:
            async with asyncio.timeout(max(0.0, deadline.remaining())):
                key = str(next(self._keys))
                encode = partial(self._encode, key, pages)
                found, line = await asyncio.get_running_loop().run_in_executor(_TOKENIZING, encode)
                answer = await self._ask(key, line)
        except TimeoutError:
            raise DeadlineExceeded("The deadline passed while the page was read.") from None
        return readings(pages, found, answer, self.card.temperature)

    def _check_ready(self) -> None:
        if self.status != READY:
            raise ReaderUnavailable(f"The reader is {self.status}.")

    def _encode(self, key: str, pages: Sequence[PageToRead]) -> tuple[list[list[Window]], bytes]:
        """Return the windows of each page, and all of them as the worker's line."""
        found = [self._encoder.windows(page) for page in pages]
        inputs = [window.input for own in found for window in own]
        return found, as_line({"read": key, "inputs": [asdict(one) for one in inputs]})

    async def _ask(self, key: str, line: bytes) -> dict[str, Any]:
        self._check_ready()  # it may have ended while the texts were tokenized
        answer: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()

        def take(message: dict[str, Any] | None) -> None:
            if not answer.done():
                answer.set_result(message)

        self._worker.submit(key, line, take)
        try:
            found = await answer
        finally:
            self._worker.release(key)
        if found is None:
            raise ReaderUnavailable("The reader stopped while it read this page.")
        if error := found.get("error"):
            raise ReaderUnavailable(f"The reader could not read this page: {error}.")
        return found
