"""Passes over the inputs of several requests, with a scripted network."""

from collections.abc import Callable, Sequence
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from querygist.reader.input_format import ReaderInput
from querygist.reader.scheduler import CANCELLED, MOST_TOKENS, Scheduler
from querygist.reader.windows import WindowScores

Found = Sequence[WindowScores] | str


def an_input(length: int, mark: int = 1) -> ReaderInput:
    return ReaderInput([mark] * length, [0] * length, [length - 1])


class Script:
    """Scores an input with its first id; stops the scheduler when it has answered all requests submitted here."""

    def __init__(self, before: Callable[[Sequence[ReaderInput]], None] = lambda _: None) -> None:
        self.scheduler = Scheduler(self._score)
        self.passes: list[list[int]] = []  # the length of each input
        self.answers: dict[str, Found] = {}
        self._before = before
        self._left = 0

    def submit(self, key: str, *inputs: ReaderInput) -> None:
        self._left += 1
        self.scheduler.submit(key, inputs, lambda found: self._take(key, found))

    def _take(self, key: str, found: Found) -> None:
        self.answers[key] = found
        self._left -= 1
        if not self._left:
            self.scheduler.stop()

    def _score(self, inputs: Sequence[ReaderInput]) -> list[WindowScores]:
        self._before(inputs)
        self.passes.append([len(one.ids) for one in inputs])
        return [WindowScores([one.ids[0]], [0.0], len(one.ids)) for one in inputs]


def scores(script: Script, key: str) -> list[float]:
    found = script.answers[key]
    assert not isinstance(found, str)
    return [one.units[0] for one in found]


def test_requests_that_wait_share_a_pass() -> None:
    script = Script()
    script.submit("a", an_input(20, 1), an_input(18, 2))
    script.submit("b", an_input(19, 3))
    script.scheduler.run()
    assert script.passes == [[20, 18, 19]]
    assert (scores(script, "a"), scores(script, "b")) == ([1, 2], [3])


def test_request_that_comes_during_a_pass_joins_the_next() -> None:
    def join(inputs: Sequence[ReaderInput]) -> None:
        if len(script.passes) == 0:
            script.submit("b", an_input(20))

    script = Script(join)
    script.submit("a", an_input(20), an_input(5))
    script.scheduler.run()
    assert script.passes == [[20], [5], [20]]


def test_inputs_of_unlike_length_are_apart() -> None:
    script = Script()
    script.submit("a", an_input(100), an_input(10), an_input(90), an_input(9))
    script.scheduler.run()
    assert script.passes == [[100, 90], [10, 9]]


def test_cancelled_request_is_dropped_before_its_pass() -> None:
    script = Script(lambda _: script.scheduler.cancel("b"))
    script.submit("a", an_input(100))
    script.submit("b", an_input(10))
    script.scheduler.cancel("nobody")
    script.scheduler.run()
    assert script.passes == [[100]]
    assert script.answers["b"] == CANCELLED


def test_one_bad_input_fails_its_request_only() -> None:
    def fail(inputs: Sequence[ReaderInput]) -> None:
        if any(one.ids[0] == 13 for one in inputs):
            raise ValueError("13")

    script = Script(fail)
    script.submit("a", an_input(10))
    script.submit("bad", an_input(10, 13), an_input(100))
    script.submit("c", an_input(10, 3))
    script.scheduler.run()
    assert script.answers["bad"] == "ValueError"
    assert (scores(script, "a"), scores(script, "c")) == ([1], [3])
    assert [100] not in script.passes


def test_request_without_inputs_is_answered() -> None:
    script = Script()
    script.submit("a")
    script.scheduler.run()
    assert scores(script, "a") == []


@given(st.lists(st.lists(st.integers(1, 512), max_size=8), min_size=1, max_size=6))
def test_every_input_is_scored_once_in_bounded_passes(requests: list[list[int]]) -> None:
    script = Script()
    for number, lengths in enumerate(requests):
        script.submit(str(number), *(an_input(length, index) for index, length in enumerate(lengths)))
    script.scheduler.run()
    for number, lengths in enumerate(requests):
        assert scores(script, str(number)) == list(range(len(lengths)))
    assert sorted(chain(*script.passes)) == sorted(chain(*requests))
    for lengths in script.passes:
        assert max(lengths) * len(lengths) <= MOST_TOKENS
        assert min(lengths) >= 0.75 * max(lengths)
