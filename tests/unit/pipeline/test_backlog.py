"""Pages that wait for the reader."""

import contextlib

import pytest

from querygist.deadline import Deadline
from querygist.errors import ReaderUnavailable
from querygist.pipeline.backlog import Backlog


def test_the_first_page_is_read_however_little_time_is_left() -> None:
    """Its own deadline ends it: nothing says that the reader is slow."""
    with Backlog().page(10_000, Deadline.after(0.001)):
        pass


def test_pages_wait_until_they_would_take_half_of_what_is_left() -> None:
    """At 50,000 characters a second until one is known; of a longer page 10,000 count."""
    backlog, deadline = Backlog(), Deadline.after(2.5)
    with contextlib.ExitStack() as reading:
        for _ in range(6):
            reading.enter_context(backlog.page(200_000, deadline))
        with pytest.raises(ReaderUnavailable, match="60,000 characters to read first"):
            reading.enter_context(backlog.page(10_000, deadline))
        reading.enter_context(backlog.page(10_000, Deadline.after(60)))
    with backlog.page(10_000, deadline):
        pass


def test_a_page_that_failed_waits_for_nobody_and_tells_no_rate() -> None:
    backlog = Backlog()
    for _ in range(100):
        with contextlib.suppress(TimeoutError), backlog.page(10_000, Deadline.after(60)):
            raise TimeoutError
    with contextlib.ExitStack() as reading:
        for _ in range(6):
            reading.enter_context(backlog.page(10_000, Deadline.after(2.5)))
        with pytest.raises(ReaderUnavailable):
            reading.enter_context(backlog.page(10_000, Deadline.after(2.5)))


def test_a_fast_reader_may_have_more_in_hand() -> None:
    backlog = Backlog()
    for _ in range(50):
        with backlog.page(10_000, Deadline.after(60)):
            pass
    with contextlib.ExitStack() as reading:
        for _ in range(100):
            reading.enter_context(backlog.page(10_000, Deadline.after(2.5)))
