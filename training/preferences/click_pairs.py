"""Preference pairs from A/B tests: which of two summaries of one document, shown for one query, people click more.

People click what stands high on the page, and on some days more than on others, so only impressions at the same
position on the same day are compared. These strata are put together by the Cochran-Mantel-Haenszel test (Mantel and
Haenszel, J. Natl. Cancer Inst. 22, 1959): the two-proportion z-test, with the clicks that one arm has beyond its share
and their variance summed over strata. A z-test on counts pooled over positions would judge where an arm was shown, and
one stratum at a time is too thin to judge. Impressions count as independent; that the days must agree as well guards
against the person, or the robot, who clicks a hundred times.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from training.config import ClickRules, PairRules
from training.fingerprint import sha256_of_text
from training.preferences.click_log import Count
from training.preferences.pairs import FilterResult, Pair, filter_pairs, requested_words_of

_LEAST_EXPECTED = 5
"""Clicks that could be fewer, and more: below, z is not normal (Mantel and Fleiss, Am. J. Epidemiol. 112, 1980)."""

Shown = dict[tuple[date, int], tuple[int, int]]
"""Impressions and clicks of one summary by day and position."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """Impressions and clicks of two arms in the same conditions. Both arms were shown."""

    impressions: tuple[int, int]
    clicks: tuple[int, int]

    @property
    def excess(self) -> float:
        """Clicks of the first arm beyond its share of all clicks."""
        return self.clicks[0] - self.impressions[0] * sum(self.clicks) / sum(self.impressions)

    @property
    def variance(self) -> float:
        """Of `excess`, if the arms do not differ: hypergeometric."""
        shown, clicked = sum(self.impressions), sum(self.clicks)
        return math.prod(self.impressions) * clicked * (shown - clicked) / (shown**2 * (shown - 1))

    @property
    def room(self) -> tuple[float, float]:
        """Return how much less, and how much more, `excess` can be than the 0 that is expected."""
        expected = self.clicks[0] - self.excess
        least = max(0, sum(self.clicks) - self.impressions[1])
        return expected - least, min(sum(self.clicks), self.impressions[0]) - expected


@dataclass(frozen=True, slots=True)
class Comparison:
    """`z` is above 0 when the first arm is clicked more; `p` is two-sided. Not `reliable`: too few clicks for both."""

    z: float
    p: float
    reliable: bool


def mantel_haenszel(strata: Iterable[Stratum]) -> Comparison:
    """Test whether two arms are clicked alike, by the Cochran-Mantel-Haenszel test without continuity correction."""
    excess = variance = down = up = 0.0
    for stratum in strata:
        excess, variance = excess + stratum.excess, variance + stratum.variance
        down, up = down + stratum.room[0], up + stratum.room[1]
    z = excess / math.sqrt(variance) if variance else 0.0
    return Comparison(z, math.erfc(abs(z) / math.sqrt(2)), min(down, up) >= _LEAST_EXPECTED)


def clear_pairs(log: Sequence[Count], rules: ClickRules, pair_rules: PairRules, *, seed: int) -> FilterResult:
    """Return a pair for every two summaries of a document for a query whose clicks are clear and `pair_rules` pass.

    What was dropped is counted in comparisons of two, and where an arm showed several summaries, in such arms.
    """
    documents, dropped = _by_document(log)
    found: list[Pair] = []
    for (query, document), summaries in documents.items():
        for (one, first), (other, second) in combinations(sorted(summaries.items()), 2):
            verdict = prefers_first(first, second, rules)
            if isinstance(verdict, str):
                dropped[verdict] += 1
                continue
            chosen, rejected = (one, other) if verdict else (other, one)
            id_ = "clicks-" + sha256_of_text("\x1f".join((query, document, chosen, rejected)))[:16]
            max_words = requested_words_of(chosen, rejected, seed, id_)
            found.append(Pair(id_, query, document, max_words, chosen, rejected, origin="clicks", derived=False))
    result = filter_pairs(found, pair_rules)
    return FilterResult(result.pairs, dropped + result.dropped)


def prefers_first(first: Shown, second: Shown, rules: ClickRules) -> bool | str:
    """Return whether the first summary is the preferred one; if the clicks do not say, why not."""
    days: dict[date, list[Stratum]] = defaultdict(list)
    for day, position in sorted(first.keys() & second.keys()):
        (shown, clicks), (others_shown, others_clicks) = first[day, position], second[day, position]
        if shown and others_shown:
            days[day].append(Stratum((shown, others_shown), (clicks, others_clicks)))
    strata = [stratum for found in days.values() for stratum in found]
    if not strata:
        return "never at the same position on one day"
    if _fewest(strata) < rules.min_impressions:
        return "too few impressions"
    test = mantel_haenszel(strata)
    if not test.reliable:
        return "too few clicks"
    if test.p >= rules.max_p_value:
        return "no significant difference"
    with_a_say = [found for found in days.values() if _fewest(found) >= rules.min_daily_impressions]
    agree = all(sum(stratum.excess for stratum in found) * test.z > 0 for found in with_a_say)
    if len(with_a_say) < rules.min_days or not agree:
        return "days disagree" if not agree else "too few days"
    return test.z > 0


def _fewest(strata: Iterable[Stratum]) -> int:
    """Return the impressions of the arm that has fewer."""
    return min(map(sum, zip(*(stratum.impressions for stratum in strata), strict=True)))


def _by_document(log: Sequence[Count]) -> tuple[dict[tuple[str, str], dict[str, Shown]], Counter[str]]:
    """Sum what was shown by query and document, and by summary: rows of the same day and position are added up.

    An arm with several summaries of one document chose who sees which, so they are not compared.
    """
    texts: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for count in log:
        texts[count.query, count.document, count.arm].add(count.summary)
    documents: dict[tuple[str, str], dict[str, Shown]] = defaultdict(lambda: defaultdict(dict))
    for count in log:
        if len(texts[count.query, count.document, count.arm]) == 1:
            shown = documents[count.query, count.document][count.summary]
            impressions, clicks = shown.get((count.day, count.position), (0, 0))
            shown[count.day, count.position] = impressions + count.impressions, clicks + count.clicks
    several = sum(len(found) > 1 for found in texts.values())
    return documents, Counter({"arm showed several summaries": several} if several else {})
