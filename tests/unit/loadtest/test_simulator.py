"""In-flight batching: what always holds, by hand, and the queue against its closed forms."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.capacity.simulator import Batching, Request, Served, poisson, simulate
from querygist.errors import ConfigurationError
from querygist.sizing.roofline import Work
from querygist.sizing.workload import PLAIN, Decoder
from tests.unit.loadtest.queueing_theory import md1_wait, mm1_wait

WIDE = Decoder("wide", tokens_per_pass=4, logit_rows=4, emitted=(3, 2, 0, 1))

lengths = st.tuples(st.integers(1, 60), st.integers(1, 12))
streams = st.lists(st.tuples(st.floats(0, 20), lengths), min_size=1, max_size=40).map(
    lambda drawn: [Request(arrival, *length) for arrival, length in sorted(drawn)]
)
batchings = st.builds(Batching, st.integers(1, 6), st.integers(60, 200))
decoders = st.sampled_from([PLAIN, WIDE])


def cost(works: Sequence[Work]) -> float:
    """Rises with everything that a pass has."""
    return 0.1 + sum(0.01 * work.new_tokens + 1e-4 * work.context_tokens for work in works)


class Spy:
    """A cost that remembers the passes."""

    def __init__(self, inner: Callable[[Sequence[Work]], float] = cost) -> None:
        self.passes: list[list[Work]] = []
        self._inner = inner

    def __call__(self, works: Sequence[Work]) -> float:
        self.passes.append(list(works))
        return self._inner(works)


def alone(request: Request, batching: Batching) -> float:
    """The least a request takes with nobody else: every pass gives as many tokens as WIDE or PLAIN can."""
    return min(one.e2el for one in simulate([request], cost, batching, Decoder("best", 1, 1, (0, 0, 0, 1)), seed=0))


@given(streams, batchings, decoders)
def test_every_request_is_served_once(requests: list[Request], batching: Batching, decoder: Decoder) -> None:
    served = list(simulate(requests, cost, batching, decoder, seed=1))
    assert sorted(one.request.arrival for one in served) == [request.arrival for request in requests]
    assert len({id(one.request) for one in served}) == len(requests)
    assert [one.finished for one in served] == sorted(one.finished for one in served)


@given(streams, batchings, decoders)
def test_times_are_in_order_and_none_is_faster_than_alone(
    requests: list[Request], batching: Batching, decoder: Decoder
) -> None:
    for one in simulate(requests, cost, batching, decoder, seed=1):
        assert one.request.arrival <= one.joined < one.first_token <= one.finished
        assert one.e2el >= alone(one.request, batching) - 1e-9
        assert one.queueing <= one.e2el


@given(streams, batchings, decoders)
def test_no_pass_exceeds_its_bounds(requests: list[Request], batching: Batching, decoder: Decoder) -> None:
    spy = Spy()
    list(simulate(requests, spy, batching, decoder, seed=1))
    for works in spy.passes:
        assert 1 <= len(works) <= batching.max_batch
        assert sum(work.new_tokens for work in works) <= batching.max_tokens
        assert all(work.new_tokens > 0 for work in works)


@given(streams, batchings)
def test_the_passes_hold_all_tokens(requests: list[Request], batching: Batching) -> None:
    spy = Spy()
    list(simulate(requests, spy, batching, PLAIN, seed=1))
    tokens = sum(work.new_tokens for works in spy.passes for work in works)
    assert tokens == sum(request.prompt_tokens + request.output_tokens - 1 for request in requests)
    rows = sum(work.logit_rows for works in spy.passes for work in works)
    assert rows == sum(request.output_tokens for request in requests)


@given(streams, batchings)
def test_who_came_first_joins_first(requests: list[Request], batching: Batching) -> None:
    joined = {id(one.request): one.joined for one in simulate(requests, cost, batching, WIDE, seed=1)}
    in_order = [joined[id(request)] for request in requests]
    assert in_order == sorted(in_order)


def test_one_request_by_hand() -> None:
    spy = Spy(lambda works: 1.0)
    [one] = simulate([Request(5.0, 10, 3)], spy, Batching(2, 100), PLAIN, seed=0)
    assert spy.passes == [[Work(10, 0, 1)], [Work(1, 10, 1)], [Work(1, 11, 1)]]
    assert one == Served(Request(5.0, 10, 3), joined=5.0, first_token=6.0, finished=8.0, passes=3)


def test_a_new_prompt_is_read_in_the_pass_that_decodes_others() -> None:
    spy = Spy(lambda works: 1.0)
    served = list(simulate([Request(0.0, 10, 3), Request(0.5, 7, 2)], spy, Batching(2, 100), PLAIN, seed=0))
    assert spy.passes == [[Work(10, 0, 1)], [Work(1, 10, 1), Work(7, 0, 1)], [Work(1, 11, 1), Work(1, 7, 1)]]
    assert [one.queueing for one in served] == [0.0, 0.5]


def test_a_prompt_that_does_not_fit_holds_up_later_ones() -> None:
    spy = Spy(lambda works: 1.0)
    list(simulate([Request(0, 10, 1), Request(0, 9, 1), Request(0, 1, 1)], spy, Batching(3, 12), PLAIN, seed=0))
    assert spy.passes == [[Work(10, 0, 1)], [Work(9, 0, 1), Work(1, 0, 1)]]


def test_accepted_tokens_make_passes_fewer() -> None:
    always_three = Decoder("three", 5, 5, (0, 0, 1))
    [one] = simulate([Request(0, 10, 8)], lambda works: 1.0, Batching(1, 100), always_three, seed=0)
    assert one.passes == 1 + math.ceil(7 / 3)


def test_emissions_follow_their_weights() -> None:
    requests = [Request(0.0, 1, 20_000)]
    [one] = simulate(requests, lambda works: 1.0, Batching(1, 100), WIDE, seed=3)
    assert 20_000 / one.passes == pytest.approx(WIDE.compression, rel=0.02)


def test_what_cannot_run_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="max_tokens of 24, it is 20"):
        list(simulate([Request(0, 1, 1)], cost, Batching(6, 20), WIDE, seed=0))
    with pytest.raises(ConfigurationError, match="prompt of 30 tokens never fits"):
        list(simulate([Request(0, 30, 1)], cost, Batching(1, 20), PLAIN, seed=0))
    with pytest.raises(ConfigurationError, match="weights that are not all 0"):
        Decoder("none", 1, 1, (0.0,))


def test_one_seed_gives_one_run_and_rates_only_stretch_time() -> None:
    slow, fast = (list(poisson(rate, [(5, 3), (9, 2)], 50, seed=4)) for rate in (1.0, 10.0))
    assert [(one.prompt_tokens, one.output_tokens) for one in slow] == [
        (one.prompt_tokens, one.output_tokens) for one in fast
    ]
    assert [one.arrival for one in slow] == pytest.approx([10 * one.arrival for one in fast])
    first, second = (list(simulate(fast, cost, Batching(4, 60), WIDE, seed=9)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("decoder", [PLAIN, WIDE], ids=["plain", "wide"])
def test_latency_rises_with_the_rate(decoder: Decoder) -> None:
    means = []
    for rate in (0.1, 0.5, 1.0, 2.0, 4.0):
        requests = poisson(rate, [(20, 6), (5, 10)], 600, seed=2)
        means.append(np.mean([one.e2el for one in simulate(requests, cost, Batching(4, 60), decoder, seed=2)]))
    assert means == sorted(means)


def waits(rate: float, service: Callable[[np.random.Generator], float], seed: int, count: int = 3000) -> float:
    """Mean time in the queue of one server, the first tenth dropped."""
    rng = np.random.default_rng([seed, 2])  # not the arrivals' stream: then long services would follow long gaps
    served = list(
        simulate(
            poisson(rate, [(1, 1)], count, seed=seed), lambda works: service(rng), Batching(1, 1), PLAIN, seed=seed
        )
    )
    return float(np.mean([one.queueing for one in served[count // 10 :]]))


@pytest.mark.parametrize("load", [0.3, 0.7])
@pytest.mark.parametrize(
    ("service", "closed_form"),
    [(lambda rng: 1.0, md1_wait), (lambda rng: rng.exponential(1.0), mm1_wait)],
    ids=["M/D/1", "M/M/1"],
)
def test_one_server_waits_as_the_closed_form_says(
    load: float,
    service: Callable[[np.random.Generator], float],
    closed_form: Callable[[float, float], float],
) -> None:
    means = [waits(load, service, seed) for seed in range(16)]
    error = np.std(means, ddof=1) / math.sqrt(len(means))
    # 4 standard errors: the seeds are fixed, so this fails for a wrong simulation and for no other reason
    assert abs(np.mean(means) - closed_form(load, 1.0)) < 4 * error
    assert error < 0.05 * closed_form(load, 1.0)  # else the interval would let anything pass
