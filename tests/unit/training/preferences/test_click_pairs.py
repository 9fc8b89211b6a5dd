"""pytest tests/unit/training/preferences/test_click_pairs.py

Logs are simulated with known truth; see clicks_for_tests.py.
"""

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tests.unit.training.preferences.click_fixtures import (
    CLICKBAIT,
    DOCUMENT,
    EVENLY,
    FIRST,
    HIGH,
    LOW,
    SECOND,
    Traffic,
    simulate,
)
from training.config import ClickRules, PairRules
from training.preferences.click_log import Count
from training.preferences.click_pairs import Comparison, Stratum, clear_pairs, mantel_haenszel

RULES, PAIR_RULES = ClickRules(), PairRules()


def compared(log: list[Count]) -> Comparison:
    """The test of FIRST against SECOND in one log."""
    cells: dict[tuple[date, int], dict[str, Count]] = {}
    for count in log:
        cells.setdefault((count.day, count.position), {})[count.summary] = count
    return mantel_haenszel(
        Stratum(
            (cell[FIRST].impressions, cell[SECOND].impressions),
            (cell[FIRST].clicks, cell[SECOND].clicks),
        )
        for cell in cells.values()
    )


def naive(log: list[Count]) -> Comparison:
    """The two-proportion test on all impressions, wherever and whenever they were."""
    shown, clicked = ({FIRST: 0, SECOND: 0} for _ in range(2))
    for count in log:
        shown[count.summary] += count.impressions
        clicked[count.summary] += count.clicks
    return mantel_haenszel([Stratum((shown[FIRST], shown[SECOND]), (clicked[FIRST], clicked[SECOND]))])


def outcome(log: list[Count], rules: ClickRules = RULES) -> str:
    """The chosen summary, or why there is none."""
    found = clear_pairs(log, rules, PAIR_RULES, seed=1)
    assert len(found.pairs) + found.dropped.total() == 1
    return found.pairs[0].chosen if found.pairs else next(iter(found.dropped))


def test_the_better_summary_is_found_wherever_it_was_shown() -> None:
    rng = np.random.default_rng(1)
    for traffic, others in ((EVENLY, EVENLY), (HIGH, LOW), (LOW, HIGH)):
        log = [
            count
            for i in range(100)
            for count in simulate(rng, (FIRST, 0.16, traffic), (SECOND, 0.08, others), query=f"query {i}")
        ]
        found = clear_pairs(log, replace_days(RULES, 100), PAIR_RULES, seed=1)
        assert {pair.chosen for pair in found.pairs} == {FIRST}
        assert len(found.pairs) > 60
        assert set(found.dropped) <= {"days disagree", "no significant difference"}
        pair = found.pairs[0]
        assert (pair.rejected, pair.document, pair.origin, pair.derived) == (SECOND, DOCUMENT, "clicks", False)
        assert pair.max_words == 15
        assert len({pair.id for pair in found.pairs}) == len(found.pairs)


def test_position_bias_fools_a_naive_comparison_and_not_this_one() -> None:
    rng = np.random.default_rng(2)
    worse_on_top = [simulate(rng, (FIRST, 0.09, HIGH), (SECOND, 0.12, LOW)) for _ in range(100)]
    assert sum(naive(log).z > 2.58 for log in worse_on_top) > 90
    assert sum(compared(log).z > 0 for log in worse_on_top) < 5
    assert sum(compared(log).z < -2.58 for log in worse_on_top) > 15


@pytest.mark.parametrize(
    ("traffic", "others", "appeal"),
    [(EVENLY, EVENLY, 0.1), (HIGH, LOW, 0.1), (HIGH, LOW, 0.01), ({1: 30, 2: 3, 3: 1}, {1: 1, 2: 3, 3: 30}, 0.3)],
)
def test_false_positive_rate_of_the_test_is_max_p_value(traffic: Traffic, others: Traffic, appeal: float) -> None:
    rng = np.random.default_rng(3)
    logs = [simulate(rng, (FIRST, appeal, traffic), (SECOND, appeal, others), days=3) for _ in range(2000)]
    tests = [compared(log) for log in logs]
    for max_p_value in (0.05, 0.01):
        found = sum(test.reliable and test.p < max_p_value for test in tests)
        assert found <= 2000 * max_p_value + 3 * math.sqrt(2000 * max_p_value * (1 - max_p_value))
    if traffic != others:
        assert sum(naive(log).p < 0.01 for log in logs) > 200  # of which 20 would be right


def test_false_positive_rate_of_pairs_is_max_p_value() -> None:
    rng = np.random.default_rng(4)
    log = [
        count for i in range(500) for count in simulate(rng, (FIRST, 0.1, HIGH), (SECOND, 0.1, LOW), query=f"query {i}")
    ]
    found = clear_pairs(log, RULES, PAIR_RULES, seed=1)
    assert len(found.pairs) <= 500 * RULES.max_p_value
    assert len(found.pairs) + found.dropped.total() == 500
    assert found.dropped["no significant difference"] > 475


def test_an_arm_that_runs_on_busy_days_is_not_the_better_for_it() -> None:
    rng = np.random.default_rng(5)
    log = []
    for day in range(6):
        many, few = ({1: 900}, {1: 100}) if day % 2 else ({1: 100}, {1: 900})
        today = simulate(rng, (FIRST, 0.05 + 0.15 * (day % 2), many), (SECOND, 0.05 + 0.15 * (day % 2), few), days=1)
        log += [replace(count, day=date(2026, 2, 1 + day)) for count in today]
    assert naive(log).p < 1e-6
    assert outcome(log) == "no significant difference"


def test_clickbait_wins_the_clicks_and_makes_no_pair() -> None:
    rng = np.random.default_rng(6)
    baited = simulate(rng, (FIRST, 0.1, EVENLY), (CLICKBAIT, 0.3, EVENLY))
    assert outcome(baited) == "chosen copies too little"
    named = simulate(rng, (FIRST, 0.1, EVENLY), (FIRST.replace("then.", "in Texas."), 0.3, EVENLY))
    loose = clear_pairs(named, RULES, PairRules(max_bigram_overlap=1), seed=1)
    assert loose.dropped == {"chosen has invented numbers or names": 1}
    seen_through = simulate(rng, (FIRST, 0.3, EVENLY), (CLICKBAIT, 0.1, EVENLY))
    assert outcome(seen_through) == FIRST


def test_days_that_disagree() -> None:
    rng = np.random.default_rng(7)

    def flips(day: int, summary: str) -> float:
        return 2.0 if (summary == FIRST) == (day != 3) else 1.0

    arms = ((FIRST, 0.1, EVENLY), (SECOND, 0.1, EVENLY))
    assert outcome(simulate(rng, *arms, mood=flips)) == "days disagree"
    assert outcome(simulate(rng, *arms, mood=flips, days=3)) == FIRST
    # A day on which hardly anyone saw the arms has no say.
    quiet = [count for count in simulate(rng, *arms, mood=flips) if count.day.day != 4]
    quiet += [replace(count, day=date(2026, 1, 4)) for count in tiny(first_clicks=0, second_clicks=30)]
    assert outcome(quiet) == FIRST


def tiny(first_clicks: int, second_clicks: int) -> list[Count]:
    empty = simulate(np.random.default_rng(0), (FIRST, 0.0, {1: 60}), (SECOND, 0.0, {1: 60}), days=1)
    return [replace(count, clicks=n) for count, n in zip(empty, (first_clicks, second_clicks), strict=True)]


def replace_days(rules: ClickRules, min_daily_impressions: int) -> ClickRules:
    return rules.model_copy(update={"min_daily_impressions": min_daily_impressions})


@pytest.mark.parametrize(
    ("arms", "days", "why"),
    [
        (((FIRST, 0.3, {1: 500}), (SECOND, 0.1, {2: 500})), 5, "never at the same position on one day"),
        (((FIRST, 0.3, {1: 500}), (SECOND, 0.1, {1: 0})), 5, "never at the same position on one day"),
        (((FIRST, 0.3, {1: 500}), (SECOND, 0.1, {1: 100, 2: 900})), 5, "too few impressions"),
        (((FIRST, 0.3, {1: 500}), (SECOND, 0.1, {1: 500})), 2, "too few days"),
        (((FIRST, 0.3, {1: 500}), (SECOND, 0.1, {1: 90})), 12, "too few days"),
        (((FIRST, 0.0, {1: 500}), (SECOND, 0.002, {1: 500})), 4, "too few clicks"),
        (((FIRST, 0.0, {1: 500}), (SECOND, 0.0, {1: 500})), 4, "too few clicks"),
        (((FIRST, 0.3, {1: 500}), ("Owls hunt at night, because mice are awake", 0.1, {1: 500})), 5, "near-duplicates"),
        (((FIRST, 0.3, {1: 500}), ("Their eyes see.", 0.1, {1: 500})), 5, "lengths too far apart"),
    ],
)
def test_too_little_to_tell(arms: tuple[tuple[str, float, Traffic], ...], days: int, why: str) -> None:
    assert outcome(simulate(np.random.default_rng(8), *arms, days=days)) == why


def test_three_arms_make_three_comparisons() -> None:
    third = "Owls see more in the dark than those cats do."
    rng = np.random.default_rng(9)
    log = simulate(rng, (FIRST, 0.4, EVENLY), (SECOND, 0.2, EVENLY), (third, 0.05, EVENLY), (FIRST, 0.4, EVENLY))
    found = clear_pairs(log, RULES, PAIR_RULES, seed=1)
    assert {(pair.chosen, pair.rejected) for pair in found.pairs} == {(FIRST, SECOND), (FIRST, third), (SECOND, third)}
    shuffled = [log[i] for i in rng.permutation(len(log))]
    again = clear_pairs(shuffled, RULES, PAIR_RULES, seed=1)
    assert sorted(pair.id for pair in again.pairs) == sorted(pair.id for pair in found.pairs)


def test_an_arm_that_showed_several_summaries_is_left_out() -> None:
    log = simulate(np.random.default_rng(10), (FIRST, 0.4, EVENLY), (SECOND, 0.1, EVENLY))
    log.append(replace(log[0], summary=CLICKBAIT))
    found = clear_pairs(log, RULES, PAIR_RULES, seed=1)
    assert not found.pairs
    assert found.dropped == {"arm showed several summaries": 1}


def test_rows_of_the_same_day_and_position_add_up() -> None:
    log = simulate(np.random.default_rng(11), (FIRST, 0.3, EVENLY), (SECOND, 0.1, EVENLY))
    split = [
        part
        for count in log
        for part in (
            replace(count, impressions=count.clicks),
            replace(count, impressions=count.impressions - count.clicks, clicks=0),
        )
    ]
    assert clear_pairs(split, RULES, PAIR_RULES, seed=1) == clear_pairs(log, RULES, PAIR_RULES, seed=1)
