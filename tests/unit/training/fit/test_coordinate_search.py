"""pytest tests/unit/training/fit/test_coordinate_search.py"""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.fit.coordinate_search import Look, Looks, Point, search

GRID = [0.0, 1.0, 2.0, 3.0]


def hill(point: Point) -> Sequence[float]:
    """Of four examples, two of which want x = 2 and y = 1, and two x = 0."""
    return [-((point["x"] - 2) ** 2) - (point["y"] - 1) ** 2] * 2 + [-(point["x"] ** 2) - (point["y"] - 1) ** 2] * 2


def found(
    looks: Looks, grids: dict[str, list[float]], *, rows: Sequence[int] = (0, 1), seed: int = 1, min_gain: float = 0.01
) -> dict[str, float]:
    return search(looks, {"x": 3.0, "y": 3.0}, grids, rows=rows, seed=seed, min_gain=min_gain, rounds=4)


@given(st.integers(0, 99))
def test_the_best_point_of_a_separable_objective_is_found(seed: int) -> None:
    assert found(Looks(hill), {"x": GRID, "y": GRID}, seed=seed) == {"x": 2, "y": 1}


def test_only_the_given_rows_decide() -> None:
    assert found(Looks(hill), {"x": GRID, "y": GRID}, rows=[2, 3]) == {"x": 0, "y": 1}


def test_a_parameter_without_a_grid_stays() -> None:
    assert found(Looks(hill), {"y": GRID}) == {"x": 3, "y": 1}


def test_a_gain_that_is_too_small_moves_nothing() -> None:
    assert found(Looks(hill), {"x": GRID}, min_gain=1.5) == {"x": 3, "y": 3}
    assert found(Looks(hill), {"x": GRID}, min_gain=1.0) == {"x": 2, "y": 3}


def test_each_point_is_looked_at_and_logged_once() -> None:
    heard: list[Look] = []
    asked: list[Point] = []

    def objective(point: Point) -> Sequence[float]:
        asked.append(dict(point))
        return hill(point)

    looks = Looks(objective, heard.append)
    found(looks, {"x": GRID, "y": GRID})
    found(looks, {"x": GRID, "y": GRID})
    assert heard == looks.found
    assert [look.point for look in heard] == asked
    assert len({tuple(point.items()) for point in asked}) == len(asked)
    assert heard[0].mean == sum(hill(heard[0].point)) / 4


def test_the_order_follows_the_seed() -> None:
    runs = []
    for seed in (1, *range(1, 12)):
        looks = Looks(hill)
        found(looks, {"x": GRID, "y": GRID}, seed=seed)
        runs.append([look.point for look in looks.found])
    assert runs[0] == runs[1]
    assert any(run != runs[0] for run in runs)


def test_a_grid_of_no_parameter_is_an_error() -> None:
    with pytest.raises(KeyError, match="no parameter z, only x, y"):
        found(Looks(hill), {"z": GRID})
