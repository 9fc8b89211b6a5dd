"""Stage `fit-quote`: the weights of the quote, by coordinate search on the validation set for choices.

work_dir/fit-quote.looks.jsonl      every point that was looked at, as it comes
docs/results/quote/                 quote.md, quote.json, quote.png: the weights found, with what they gain

It changes no weights: `querygist.text.ranking.Weights` is edited by hand, by what the report says. As the gain on the
rows that chose it flatters, the report has a second one: two halves of the queries each choose for the other.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from rich.console import Console

from querygist.errors import ConfigurationError
from querygist.evaluation.rouge import Interval, difference, interval
from training.config import Config, FitQuoteConfig
from training.data.choice_validation import FILE
from training.data.examples import Example, read_examples
from training.evaluate.outputs import append_line
from training.fit import report
from training.fit.coordinate_search import Look, Looks, Point, search
from training.fit.quote_scores import QuoteScores, RowScore, shipped_point
from training.stable_random import draw

LOOKS = "fit-quote.looks.jsonl"
_WORDS = 60  # a length that leaves room, beside people's


def run(config: Config, console: Console) -> None:
    """Search, and write the report. Raises ConfigurationError when the stage `choices` was not run."""
    recipe = config.fit_quote
    examples = [one for one in read_examples(config.work_dir / FILE) if one.kind == "positive"]
    start = shipped_point()
    if unknown := recipe.grids.keys() - start.keys():
        raise ConfigurationError(f"fit_quote.grids names {', '.join(sorted(unknown))}; weights are {', '.join(start)}.")
    log = config.work_dir / LOOKS
    log.unlink(missing_ok=True)

    def heard(look: Look) -> None:
        append_line(log, {"mean": look.mean, **look.point})
        console.print(f"fit-quote: look {len(looks.found)}, {look.mean:.2f}")

    with QuoteScores(examples) as scores, QuoteScores([replace(one, max_words=_WORDS) for one in examples]) as longer:
        looks = Looks(partial(_objective, scores, longer, recipe.longer_share), heard)
        found = fitted(looks, start, recipe, range(len(examples)), config.seed)
        halves = _halves(examples, config.seed)
        by_other = [fitted(looks, start, recipe, half, config.seed) for half in halves[::-1]]
        content = report.Report(
            rows=len(examples),
            longer_share=recipe.longer_share,
            start=start,
            found=found,
            means={
                "shipped": means(scores.at(start), examples, config.seed),
                "found": means(scores.at(found), examples, config.seed),
                f"shipped, {_WORDS} words": means(longer.at(start), examples, config.seed),
                f"found, {_WORDS} words": means(longer.at(found), examples, config.seed),
            },
            gain=_gain(looks, start, [(found, range(len(examples)))], examples, config.seed),
            cross_fitted_gain=_gain(looks, start, list(zip(by_other, halves, strict=True)), examples, config.seed),
            curves={
                name: [
                    (value, _gain(looks, found, [(found | {name: value}, range(len(examples)))], examples, config.seed))
                    for value in sorted({*grid, found[name], start[name]})
                ]
                for name, grid in recipe.grids.items()
            },
            looks=looks.found,
        )
    console.print(f"fit-quote: {len(looks.found)} looks, {report.write(recipe.folder, content)}")


def _objective(scores: QuoteScores, longer: QuoteScores, share: float, point: Point) -> list[float]:
    """Return each row's score, with `share` of it at the longer length: room that is there must not be filled."""
    found = [row.mean for row in scores.at(point)]
    if not share:
        return found
    return [(1 - share) * row + share * other.mean for row, other in zip(found, longer.at(point), strict=True)]


def fitted(looks: Looks, start: Point, recipe: FitQuoteConfig, rows: Sequence[int], seed: int) -> dict[str, float]:
    """Return the point that the search finds by these rows."""
    return search(looks, start, recipe.grids, rows=rows, seed=seed, min_gain=recipe.min_gain, rounds=recipe.rounds)


def means(scores: Sequence[RowScore], examples: Sequence[Example], seed: int) -> report.Means:
    """Return the means with their intervals, the rows of one query drawn together."""
    queries = clusters(examples)
    known = [
        (row.sentence_f1, query) for row, query in zip(scores, queries, strict=True) if row.sentence_f1 is not None
    ]
    return report.Means(
        objective=interval([row.mean for row in scores], seed=seed, clusters=queries),
        rouge2=interval([row.rouge2 for row in scores], seed=seed, clusters=queries),
        sentence_f1=interval([f1 for f1, _ in known], seed=seed, clusters=[query for _, query in known]),
        words=interval([row.words for row in scores], seed=seed, clusters=queries),
    )


def clusters(examples: Sequence[Example]) -> list[str]:
    """Return the query of each, by which intervals are drawn."""
    return [one.query.casefold() for one in examples]


def _halves(examples: Sequence[Example], seed: int) -> tuple[list[int], list[int]]:
    """Return the rows of two halves of the queries."""
    first = [draw(seed, "half", query) < 0.5 for query in clusters(examples)]
    return [row for row, is_ in enumerate(first) if is_], [row for row, is_ in enumerate(first) if not is_]


def _gain(
    looks: Looks, start: Point, parts: Sequence[tuple[Point, Sequence[int]]], examples: Sequence[Example], seed: int
) -> Interval:
    """Return the gain over `start` of points, each on rows of its own."""
    queries, before = clusters(examples), looks.at(start)
    pairs = [(looks.at(point)[row], before[row], queries[row]) for point, rows in parts for row in rows]
    ours, theirs, of_queries = zip(*pairs, strict=True)
    return difference(ours, theirs, seed=seed, clusters=of_queries)
