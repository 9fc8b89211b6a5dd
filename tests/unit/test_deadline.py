"""pytest tests/unit/test_deadline.py"""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.deadline import Deadline

moments = st.floats(0, 1e6)
deadlines = st.builds(Deadline, moments, moments | st.just(inf))


@given(deadlines, deadlines)
def test_the_latest_deadline_is_the_longer_of_both(one: Deadline, other: Deadline) -> None:
    both = one.latest(other)
    assert both == other.latest(one)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("time.monotonic", lambda: 100.0)
        assert both.remaining() == max(one.remaining(), other.remaining())
        assert both.remaining_to_first_text() == max(one.remaining_to_first_text(), other.remaining_to_first_text())


@given(deadlines)
def test_an_answer_begins_before_it_ends(deadline: Deadline) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("time.monotonic", lambda: 100.0)
        assert deadline.remaining_to_first_text() <= deadline.remaining()
        assert deadline.remaining_to_first_text() == min(deadline.at, deadline.first_text) - 100
        assert deadline.earlier(3).remaining() == pytest.approx(deadline.remaining() - 3)
        assert deadline.earlier(3).remaining_to_first_text() == pytest.approx(deadline.remaining_to_first_text() - 3)
