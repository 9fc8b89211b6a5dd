"""Rows to examples: what the data stage decides about each row.

The test set is frozen: its documents and answers are neither cut nor grown, and follow from rows and seed alone.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.progress import Progress

from querygist.errors import ConfigurationError
from querygist.prompting import templates
from querygist.prompting.sentence_markers import labelled
from querygist.text.sentences import Span
from training import stable_random
from training.config import Config
from training.data import deduplication, extend_targets, licences, negatives, raw_dataset
from training.data.examples import Example
from training.data.raw_dataset import Row, Split
from training.data.truncation import Windows

FILES: dict[Split, str] = {"train": "train.jsonl", "validation": "validation.jsonl", "test": "test.jsonl"}
NEGATIVES_TEST = "negatives_test.jsonl"
FEWEST_WORDS, MOST_WORDS = 5, 120
"""Of `max_words` in a request."""

_SLACK = 0.1


@dataclass(slots=True)
class DataStats:
    """What the data card tells beside the examples: dropped rows by (source, split, why), licences by source."""

    dropped: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    licences: dict[str, set[str]] = field(default_factory=dict)

    def drop(self, row: Row, why: str) -> None:
        """Count one."""
        self.dropped[row.source, row.split, why] += 1


@dataclass(frozen=True, slots=True)
class Result:
    """What the stage made: examples by file name, and what it left out."""

    examples: dict[str, list[Example]]
    account: DataStats


def prepare(config: Config, cutter: Windows, progress: Progress) -> Result:
    """Rows to examples. Raises ConfigurationError for bad rows, for leaks, and when nothing is left."""
    account, runs = DataStats(), deduplication.Runs()
    by_split = _checked(config, account, runs, progress)
    made: dict[str, list[Example]] = {}
    for split in ("train", "validation"):
        found = _learned(_without_fragments(by_split[split], config, account), cutter, config, account, runs, progress)
        if not found:
            raise ConfigurationError(
                f"No row is left for {FILES[split]}. Of {', '.join(map(str, config.data.files))} were dropped: "
                f"{dict(account.dropped)}."
            )
        if wrong := sorted({example.source for example in found} & licences.EVALUATION_ONLY):
            # The last gate before anything is written for training, whatever the steps before it did.
            raise ConfigurationError(f"Rows of {', '.join(wrong)} are for evaluation only and must not be trained on.")
        made[FILES[split]] = found
    return Result(made | _frozen(by_split["test"], runs, config, progress), account)


def _checked(
    config: Config, account: DataStats, runs: deduplication.Runs, progress: Progress
) -> Mapping[Split, Sequence[Row]]:
    """Clean rows with a licence for their use, each once, none of them leaking into the test."""
    task = progress.add_task("rows", total=4)
    found = raw_dataset.read(config.data.files, seed=config.seed, held_out=config.data.held_out)
    progress.update(task, advance=1, description="licences")
    allowed = licences.sort(found, config.data.also_allow)
    account.dropped.update(allowed.refused)
    for row in allowed.rows:
        account.licences.setdefault(row.source, set()).add(licences.licence_of(row) or "not stated")
    progress.update(task, advance=1, description="duplicates")
    kept, repeated = deduplication.without_duplicates(allowed.rows)
    for row in repeated:
        account.drop(row, "duplicate")
    progress.update(task, advance=1, description="leaks")
    by_split: dict[Split, list[Row]] = {
        split: [row for row in kept if row.split == split] for split in raw_dataset.SPLITS
    }
    seen = [*by_split["train"], *by_split["validation"]]
    deduplication.raise_for_leaks(deduplication.leaks(seen, by_split["test"], runs))
    progress.update(task, advance=1, description="rows checked")
    return by_split


def _learned(
    found: Sequence[Row],
    cutter: Windows,
    config: Config,
    account: DataStats,
    runs: deduplication.Runs,
    progress: Progress,
) -> list[Example]:
    """Positives and the negatives that belong to them, in random order."""
    pool = negatives.Pool(found, runs)
    positives = _positives(found, cutter, config, account, progress)
    lengths = sorted(example.max_words for example in positives)
    share = config.data.negative_share
    each = round(len(positives) * share / (1 - share) / 2)
    refusing = [
        _refusal(one, document, words)
        for one in _negatives(found, pool, each, config, progress)
        for words in [stable_random.choose(lengths, config.seed, "length", one.kind, one.row.id)]
        if (document := cutter.anywhere(one.row.query, one.document, words, f"{one.row.id}-{one.kind}"))
    ]
    return _shuffled([*positives, *refusing], config.seed)


def requested_words(summary: str, seed: int, row_id: str) -> int:
    """The limit a person might have set who got this summary: its length and up to a tenth more, in fives.

    Never less: a model that learns to write about so many words has half of its last sentences cut off.
    """
    return _asked(len(summary.split()) * (1 + _SLACK * stable_random.draw(seed, "max_words", row_id)))


def _asked(words: float) -> int:
    """Up to the next five, within what the API takes."""
    return min(MOST_WORDS, max(FEWEST_WORDS, 5 * math.ceil(words / 5)))


def _without_fragments(found: Sequence[Row], config: Config, account: DataStats) -> list[Row]:
    """Rows whose source and length the config wants. Validation has the same mix, or it would choose another."""
    kept = []
    for row in found:
        rule = config.data.rule(row.source)
        if len(row.summary.split()) < rule.least_words:
            account.drop(row, f"target under {rule.least_words} words")
        elif stable_random.draw(config.seed, "share", row.id) >= rule.share:
            account.drop(row, f"down-weighted to {rule.share:g}")
        else:
            kept.append(row)
    return kept


def _positives(
    found: Sequence[Row], cutter: Windows, config: Config, account: DataStats, progress: Progress
) -> list[Example]:
    made = []
    for row in progress.track(found, description=f"{found[0].split if found else 'no'} positives"):
        answer = extend_targets.whole_sentences(row.document, row.summary)
        example = _quoting(row, answer, cutter, config) if answer else _in_own_words(row, cutter, config)
        if isinstance(example, str):
            account.drop(row, example)
        else:
            made.append(example)
    return made


def _quoting(row: Row, answer: Span, cutter: Windows, config: Config) -> Example | str:
    """An example whose target quotes; or why there is none."""
    asked = stable_random.between(config.data.least_asked, config.data.most_asked, config.seed, "asked", row.id)
    words = _asked(max(asked, len(row.document[slice(*answer)].split())))
    document = cutter.around(row.query, row.document, answer, words, row.id)
    if document is None:
        return "the answer does not fit into the prompt"
    place = document.index(row.document[slice(*answer)])
    hinted = any(one.best and one.start <= place < one.end for one in labelled(document, row.query))
    if hinted and stable_random.draw(config.seed, "hinted", row.id) >= config.data.hinted_share:
        return f"answers that word overlap finds: down-weighted to {config.data.hinted_share:g}"
    target = extend_targets.grow(document, (place, place + answer[1] - answer[0]), words)
    return Example(row.id, row.source, row.query, document, target, words, "positive", derived=target != row.summary)


def _in_own_words(row: Row, cutter: Windows, config: Config) -> Example | str:
    if stable_random.draw(config.seed, "own words", row.id) >= config.data.own_words_share:
        return f"answers in own words: down-weighted to {config.data.own_words_share:g}"
    words = requested_words(row.summary, config.seed, row.id)
    document = cutter.around_sources(row.query, row.document, row.summary, words, row.id)
    return Example(row.id, row.source, row.query, document, row.summary, words, "positive", derived=False)


def _negatives(
    found: Sequence[Row], pool: negatives.Pool, each: int, config: Config, progress: Progress
) -> list[negatives.Negative]:
    task = progress.add_task(f"{found[0].split if found else 'no'} negatives", total=2 * each)
    made = negatives.make(
        found,
        pool,
        each=each,
        hard=lambda row: config.data.rule(row.source).hard_negatives,
        seed=config.seed,
        advance=lambda: progress.advance(task),
    )
    progress.update(task, total=len(made))
    return made


def _refusal(one: negatives.Negative, document: str, max_words: int) -> Example:
    row = one.row
    id_ = f"{row.id}-{one.kind}"
    return Example(id_, row.source, row.query, document, templates.NO_ANSWER, max_words, one.kind, derived=True)


def _frozen(
    found: Sequence[Row], runs: deduplication.Runs, config: Config, progress: Progress
) -> dict[str, list[Example]]:
    """The test sets. All rows of a source ask for the same length, the mean of what its people wrote."""
    lengths: dict[str, list[int]] = defaultdict(list)
    for row in found:
        lengths[row.source] += [len(reference.split()) for reference in row.references]
    words = {source: _asked(5 * round(sum(all_) / len(all_) / 5)) for source, all_ in lengths.items()}
    positives = [
        Example(
            row.id,
            row.source,
            row.query,
            row.document,
            row.summary,
            words[row.source],
            "positive",
            False,
            row.references,
        )
        for row in found
    ]
    pool = negatives.Pool(found, runs)
    refusing = _negatives(found, pool, config.data.test_negatives, config, progress)
    return {
        FILES["test"]: positives,
        NEGATIVES_TEST: _shuffled(
            [_refusal(one, one.document, words[one.row.source]) for one in refusing], config.seed
        ),
    }


def _shuffled(made: Sequence[Example], seed: int) -> list[Example]:
    return sorted(made, key=lambda example: stable_random.draw(seed, "order", example.id))
