"""Requests and their popularity."""

from collections import Counter
from math import sqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.load.traffic import PAGE, Traffic, parse_mix, zipf
from querygist.errors import ConfigurationError
from querygist.schemas import BatchDocument, BatchRequest, SummarizeRequest

ROWS = [{"query": f"what is {number}", "document": f"It is number {number}."} for number in range(7)]


def traffic(mix: str = "json=1", **options: Any) -> Traffic:
    chosen: dict[str, Any] = {"population": 100, "exponent": 1.0, "distinct": False, "seed": 3}
    return Traffic(ROWS, parse_mix(mix), **chosen | options)


@settings(max_examples=20)
@given(st.integers(1, 200), st.floats(0, 3), st.integers(0, 2**32))
def test_popularity_follows_zipf(population: int, exponent: float, seed: int) -> None:
    chances = zipf(population, exponent)
    assert chances.sum() == pytest.approx(1)
    assert all(chances[:-1] >= chances[1:] - 1e-12)
    assert chances[-1] / chances[0] == pytest.approx(population**-exponent)
    asked = traffic(population=population, exponent=exponent, seed=seed)
    drawn = Counter(asked.draw().body["query"] for _ in range(1000))
    assert set(drawn) <= {f"what is {rank % 7}{f' {rank // 7}' if rank >= 7 else ''}" for rank in range(population)}
    assert drawn["what is 0"] / 1000 == pytest.approx(
        chances[0], abs=5 * sqrt(chances[0] * (1 - chances[0]) / 1000) + 1e-9
    )


def test_popular_queries_come_back_and_rare_ones_hardly() -> None:
    asked = traffic(population=10_000)
    counts = Counter(asked.draw().body["query"] for _ in range(3000))
    assert counts["what is 0"] == max(counts.values())
    assert sum(count == 1 for count in counts.values()) > len(counts) / 2


def test_distinct_queries_never_come_back_in_this_run_or_another() -> None:
    runs = [traffic(distinct=True, seed=seed) for seed in (1, 2)]
    queries = [run.draw().body["query"] for run in runs for _ in range(200)]
    assert len(set(queries)) == len(queries)


def test_the_same_seed_asks_the_same() -> None:
    first, again = (traffic("json=1,stream=1,page=1") for _ in range(2))
    assert [first.draw() for _ in range(50)] == [again.draw() for _ in range(50)]
    other = traffic("json=1,stream=1,page=1", seed=4)
    assert [first.draw() for _ in range(50)] != [other.draw() for _ in range(50)]


def test_kinds_are_mixed_by_weight() -> None:
    asked = traffic("json=3, stream=1,page=0")
    kinds = Counter(asked.draw().kind for _ in range(4000))
    assert set(kinds) == {"json", "stream"}
    assert kinds["json"] / 4000 == pytest.approx(0.75, abs=0.05)


def test_every_kind_is_a_request_that_the_service_takes() -> None:
    for kind, summaries in (("json", 1), ("stream", 1), ("page", PAGE)):
        wanted = traffic(kind).draw()
        assert (wanted.kind, wanted.summaries) == (kind, summaries)
        if kind == "page":
            documents = BatchRequest.model_validate(wanted.body).documents
            assert len({BatchDocument.model_validate(one).id for one in documents}) == PAGE
        else:
            assert SummarizeRequest.model_validate(wanted.body).stream is (kind == "stream")


@pytest.mark.parametrize("kind", ["json", "page"])
def test_every_document_is_asked_for_in_the_style(kind: str) -> None:
    body = traffic(kind, style="quote").draw().body
    documents = body["documents"] if kind == "page" else [body]
    assert {one["style"] for one in documents} == {"quote"}


@pytest.mark.parametrize("mix", ["", "json=-1", "html=1", "json=many", "json=0,page=0", "json=1;stream=1"])
def test_a_mix_that_is_none_is_refused(mix: str) -> None:
    with pytest.raises(ConfigurationError, match="mix"):
        parse_mix(mix)


@pytest.mark.parametrize("options", [{"population": 0}, {"exponent": -1.0}])
def test_a_popularity_that_is_none_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="at least one row"):
        traffic(**options)
