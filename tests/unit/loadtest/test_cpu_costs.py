"""The measured table: its points, what lies between them, and files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.capacity.cpu_costs import CpuCosts, Point
from querygist import json_files
from querygist.errors import ConfigurationError
from querygist.sizing.roofline import Work

TABLE = CpuCosts(
    machine={"processor": "scripted"},
    model={"name": "scripted"},
    prompt=tuple(
        Point(tokens, context, 1, 0.001 * tokens + context / 1e5, 3) for tokens in (10, 100) for context in (0, 500)
    ),
    decode=tuple(
        Point(tokens * sequences, context, sequences, 0.01 + 0.002 * tokens * sequences + context / 1e5, 3)
        for tokens in (1, 8)
        for sequences in (1, 4)
        for context in (100, 300)
    ),
)


@pytest.mark.parametrize("point", TABLE.decode)
def test_measured_points_are_kept(point: Point) -> None:
    each = point.tokens // point.sequences
    works = [Work(each, point.context, each)] * point.sequences
    assert TABLE.seconds(works) == pytest.approx(point.seconds)


def test_between_points_it_is_linear() -> None:
    assert TABLE.seconds([Work(2, 200, 2)] * 2) == pytest.approx(0.01 + 0.002 * 4 + 200 / 1e5)
    assert TABLE.seconds([Work(55, 250, 1)]) == pytest.approx(0.055 + 250 / 1e5)


def test_beyond_the_points_it_goes_on() -> None:
    assert TABLE.seconds([Work(200, 0, 1)]) == pytest.approx(0.2)
    assert TABLE.seconds([Work(1, 100, 1)] * 8) == pytest.approx(0.01 + 0.002 * 8 + 100 / 1e5)


def test_below_the_smallest_pass_it_costs_the_smallest() -> None:
    assert TABLE.prompt_seconds(1, 0) == TABLE.prompt_seconds(10, 0)


def test_a_prompt_adds_what_its_tokens_add() -> None:
    decoding = [Work(4, 100, 4)] * 4
    added = TABLE.seconds([*decoding, Work(50, 0, 1)]) - TABLE.seconds(decoding)
    assert added == pytest.approx(0.001 * 50)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(100, 300), st.integers(2, 200))
def test_more_tokens_never_cost_less(sequences: int, each: int, context: int, prompt: int) -> None:
    decoding = [Work(each, context, each)] * sequences
    assert TABLE.seconds([*decoding, Work(prompt, 0, 1)]) >= TABLE.seconds(decoding) - 1e-12
    assert TABLE.seconds([Work(each + 1, context, each + 1)] * sequences) >= TABLE.seconds(decoding) - 1e-12


def points(*, contexts: tuple[int, ...], most: int) -> st.SearchStrategy[tuple[Point, ...]]:
    """A whole grid with times that are nothing but noise."""
    grid = [
        (tokens * sequences, context, sequences)
        for tokens in (1, 5, 50)
        for context in contexts
        for sequences in range(1, most + 1)
    ]
    times = st.lists(st.floats(1e-3, 10.0), min_size=len(grid), max_size=len(grid))
    return times.map(lambda drawn: tuple(Point(*place, seconds, 1) for place, seconds in zip(grid, drawn, strict=True)))


@given(points(contexts=(0, 500), most=1), points(contexts=(100, 300), most=3), st.data())
def test_noise_never_makes_time_run_backwards(
    prompt: tuple[Point, ...], decode: tuple[Point, ...], data: st.DataObject
) -> None:
    table = CpuCosts({}, {}, prompt, decode)
    decoding = [
        Work(each, context, each)
        for each, context in data.draw(st.lists(st.tuples(st.integers(1, 90), st.integers(0, 900)), max_size=6))
    ]
    reading = [Work(data.draw(st.integers(2, 600)), data.draw(st.integers(0, 900)), 1)]
    assert table.seconds(reading) > 0
    if decoding:
        assert table.seconds([*decoding, *reading]) >= table.seconds(decoding) - 1e-9 > 0


def test_files_come_back_and_bad_ones_are_named(tmp_path: Path) -> None:
    json_files.save(tmp_path / "deep" / "costs.json", TABLE)
    assert CpuCosts.load(tmp_path / "deep" / "costs.json") == TABLE
    with pytest.raises(ConfigurationError, match=r"no\.json: No such file.*loadtest costs"):
        CpuCosts.load(tmp_path / "no.json")
    (tmp_path / "bad.json").write_text('{"machine": {}, "model": {}, "prompt": [], "decode": 3}')
    with pytest.raises(ConfigurationError, match=r"bad\.json is not a table of costs"):
        CpuCosts.load(tmp_path / "bad.json")
    with pytest.raises(ConfigurationError, match="needs `prompt` and `decode`"):
        CpuCosts({}, {}, (), TABLE.decode)
