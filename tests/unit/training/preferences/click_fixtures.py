"""Logs of A/B tests, simulated with known truth: how attractive each summary is, and how often people look where."""

from collections.abc import Callable, Mapping
from datetime import date
from itertools import product

import numpy as np

from training.preferences.click_log import Count

DOCUMENT = "Owls hunt at night because mice are awake then. Their eyes see more in the dark than those of a cat do."
FIRST = "Owls hunt at night because mice are awake then."
SECOND = "Their eyes see more in the dark than those of a cat."
CLICKBAIT = "You will never believe what these 9 birds did last night!"
LOOKS = {1: 1.0, 2: 0.5, 3: 0.25}
"""How many of the people who come to the page look at a position."""

EVENLY = {1: 200, 2: 200, 3: 200}
HIGH, LOW = {1: 400, 2: 150, 3: 50}, {1: 50, 2: 150, 3: 400}

Traffic = Mapping[int, int]
"""Impressions a day by position."""


def simulate(
    rng: np.random.Generator,
    *arms: tuple[str, float, Traffic],
    query: str = "why do owls hunt at night",
    days: int = 5,
    mood: Callable[[int, str], float] = lambda _day, _summary: 1.0,
) -> list[Count]:
    """Clicks on summaries of this appeal (share of those who look), times the mood of the day towards each."""
    cells = [
        (f"arm {number}", summary, day, position, impressions, appeal * LOOKS[position] * mood(day, summary))
        for number, (summary, appeal, traffic) in enumerate(arms)
        for day, (position, impressions) in product(range(days), traffic.items())
    ]
    clicks = rng.binomial([cell[4] for cell in cells], [cell[5] for cell in cells]).tolist()
    return [
        Count(arm, summary, query, DOCUMENT, position, date(2026, 1, 1 + day), impressions, clicked)
        for (arm, summary, day, position, impressions, _), clicked in zip(cells, clicks, strict=True)
    ]
