"""Rows to examples: what the data stage decides about each row.

The test set is frozen: its documents and answers are neither cut nor extended, and follow from rows and seed alone.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.progress import Progress

from querygist.errors import ConfigurationError
from querygist.prompting import templates
from querygist.text.sentences import Span
from training import stable_random
from training.config import Config
from training.data import choice_validation, deduplication, extend_targets, licences, negatives, raw_dataset
from training.data.examples import Example, ranked
from training.data.raw_dataset import Row, Split
from training.data.truncation import Truncator

FILES: dict[Split, str] = {"train": "train.jsonl", "validation": "validation.jsonl", "test": "test.jsonl"}
NEGATIVES_TEST = "negatives_test.jsonl"
FEWEST_WORDS, MOST_WORDS = 5, 120
"""Of `max_words` in a request."""

_SLACK = 0.1


@dataclass(slots=True)
class DataStats:
    """Counts for the data card: dropped rows by (source, split, why), licences by source."""

    dropped: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    licences: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def drop(self, row: Row, why: str) -> None:
        """Count one."""
        self.dropped[row.source, row.split, why] += 1


def requested_words(summary: str, seed: int, row_id: str) -> int:
    """Return the limit a person might have set who got this summary: its length and up to a tenth more, in fives.

    Never less: a model that learns to write about so many words has half of its last sentences cut off.
    """
    return _in_fives(len(summary.split()) * (1 + _SLACK * stable_random.draw(seed, "max_words", row_id)))


def _in_fives(words: float) -> int:
    """Round up to the next five, within what the API takes."""
    return min(MOST_WORDS, max(FEWEST_WORDS, 5 * math.ceil(words / 5)))


@dataclass(slots=True)
class ExampleBuilder:
    """Builds examples from the rows of `config.data.files`; `stats` tells afterwards what was left out."""

    config: Config
    truncator: Truncator
    progress: Progress
    stats: DataStats = field(default_factory=DataStats)
    _runs: deduplication.Runs = field(default_factory=deduplication.Runs)

    def build(self) -> dict[str, list[Example]]:
        """Return examples by file name. Raises ConfigurationError for bad rows, for leaks, and when nothing is left."""
        by_split = self._checked()
        made: dict[str, list[Example]] = {}
        for split in ("train", "validation"):
            found = self._learned(self._without_fragments(by_split[split]))
            if not found:
                raise ConfigurationError(
                    f"No row is left for {FILES[split]}. Of {', '.join(map(str, self.config.data.files))} were "
                    f"dropped: {dict(self.stats.dropped)}."
                )
            if wrong := sorted({example.source for example in found} & licences.EVALUATION_ONLY):
                # The last gate before anything is written for training, whatever the steps before it did.
                raise ConfigurationError(f"Rows of {', '.join(wrong)} are for evaluation only, and not trained on.")
            made[FILES[split]] = found
        return made | self._frozen(by_split["test"])

    def _checked(self) -> dict[Split, list[Row]]:
        """Return clean rows with a licence for their use, each once, none of them leaking into the test."""
        data = self.config.data
        task = self.progress.add_task("rows", total=4)
        found = raw_dataset.read(data.files, seed=self.config.seed, held_out=data.held_out)
        self.progress.update(task, advance=1, description="licences")
        allowed = licences.allowed(found, data.extra_licenses)
        self.stats.dropped.update(allowed.dropped)
        for row in allowed.rows:
            self.stats.licences[row.source].add(licences.licence_of(row) or "not stated")
        self.progress.update(task, advance=1, description="duplicates")
        learnable = self._without_held_out(allowed.rows)
        kept, repeated = deduplication.without_duplicates(learnable)
        for row in repeated:
            self.stats.drop(row, "duplicate")
        self.progress.update(task, advance=1, description="leaks")
        by_split = {split: [row for row in kept if row.split == split] for split in raw_dataset.SPLITS}
        seen = [*by_split["train"], *by_split["validation"]]
        deduplication.raise_for_leaks(deduplication.leaks(seen, by_split["test"], self._runs))
        self.progress.update(task, advance=1, description="rows checked")
        return by_split

    def _without_held_out(self, found: Sequence[Row]) -> list[Row]:
        """Drop rows that choices are validated by, and those that share text with them."""
        frozen = self.config.choices.frozen
        held_out = choice_validation.read_frozen(frozen).held_out if frozen.exists() else frozenset()
        for row in found:
            if row.id in held_out:
                self.stats.drop(row, "held out for the validation of choices")
        return [row for row in found if row.id not in held_out]

    def _without_fragments(self, found: Sequence[Row]) -> list[Row]:
        """Keep rows whose source and length the config wants; of validation too, or another mix would choose."""
        kept = []
        for row in found:
            rule = self.config.data.rule(row.source)
            if len(row.summary.split()) < rule.min_words:
                self.stats.drop(row, f"target under {rule.min_words} words")
            elif self._keeps("share", row, rule.share, "down-weighted"):
                kept.append(row)
        return kept

    def _learned(self, found: Sequence[Row]) -> list[Example]:
        """Return positives and the negatives that belong to them, in random order."""
        title = f"{found[0].split if found else 'no'} positives"
        made = (self._positive(row) for row in self.progress.track(found, description=title))
        positives = [example for example in made if example is not None]
        lengths = sorted(example.max_words for example in positives)
        share, seed = self.config.data.negative_share, self.config.seed
        refusals = []
        for one in self._negatives(found, round(len(positives) * share / (1 - share) / 2)):
            words = stable_random.choose(lengths, seed, "length", one.kind, one.row.id)
            document = self.truncator.anywhere(one.row.query, one.document, words, f"{one.row.id}-{one.kind}")
            if document:
                refusals.append(_refusal(one, document, words))
        return self._shuffled([*positives, *refusals])

    def _positive(self, row: Row) -> Example | None:
        answer = extend_targets.whole_sentences(row.document, row.summary)
        return self._quoting(row, answer) if answer else self._abstractive(row)

    def _quoting(self, row: Row, answer: Span) -> Example | None:
        """Return an example whose target quotes, unless it does not fit or is one of too many."""
        data, seed = self.config.data, self.config.seed
        asked = stable_random.between(data.min_target_words, data.max_target_words, seed, "asked", row.id)
        words = _in_fives(max(asked, len(row.document[slice(*answer)].split())))
        document = self.truncator.around(row.query, row.document, answer, words, row.id)
        if document is None:
            self.stats.drop(row, "the answer does not fit into the prompt")
            return None
        place = document.index(row.document[slice(*answer)])
        ranking = ranked(document, row.query)
        best = ranking.units[ranking.order[0]] if ranking.order else None
        if (
            best
            and best.start <= place < best.end
            and not self._keeps(
                "hinted", row, data.lexical_match_share, "answers that word overlap finds: down-weighted"
            )
        ):
            return None
        target = extend_targets.grow(document, (place, place + answer[1] - answer[0]), words)
        return Example(
            row.id, row.source, row.query, document, target, words, "positive", derived=target != row.summary
        )

    def _abstractive(self, row: Row) -> Example | None:
        share = self.config.data.abstractive_share
        if not self._keeps("own words", row, share, "answers in own words: down-weighted"):
            return None
        words = requested_words(row.summary, self.config.seed, row.id)
        document = self.truncator.around_sources(row.query, row.document, row.summary, words, row.id)
        return Example(row.id, row.source, row.query, document, row.summary, words, "positive", derived=False)

    def _keeps(self, name: str, row: Row, share: float, why: str) -> bool:
        """Draw whether a row is among the `share` that is kept, and count it if it is not."""
        kept = stable_random.draw(self.config.seed, name, row.id) < share
        if not kept:
            self.stats.drop(row, f"{why} to {share:g}")
        return kept

    def _negatives(self, found: Sequence[Row], each: int) -> list[negatives.Negative]:
        task = self.progress.add_task(f"{found[0].split if found else 'no'} negatives", total=2 * each)
        made = negatives.make(
            found,
            negatives.Pool(found, self._runs),
            each=each,
            hard=lambda row: self.config.data.rule(row.source).hard_negatives,
            seed=self.config.seed,
            advance=lambda: self.progress.advance(task),
        )
        self.progress.update(task, total=len(made))
        return made

    def _frozen(self, found: Sequence[Row]) -> dict[str, list[Example]]:
        """Return the test sets. All rows of a source ask for the same length, the mean of what its people wrote."""
        lengths: dict[str, list[int]] = defaultdict(list)
        for row in found:
            lengths[row.source] += [len(reference.split()) for reference in row.references]
        words = {source: _in_fives(5 * round(sum(all_) / len(all_) / 5)) for source, all_ in lengths.items()}
        positives = [
            Example(
                *(row.id, row.source, row.query, row.document, row.summary, words[row.source]),
                kind="positive",
                derived=False,
                references=row.references,
            )
            for row in found
        ]
        refusals = [
            _refusal(one, one.document, words[one.row.source])
            for one in self._negatives(found, self.config.data.max_test_negatives)
        ]
        return {FILES["test"]: positives, NEGATIVES_TEST: self._shuffled(refusals)}

    def _shuffled(self, made: Sequence[Example]) -> list[Example]:
        return sorted(made, key=lambda example: stable_random.draw(self.config.seed, "order", example.id))


def _refusal(one: negatives.Negative, document: str, max_words: int) -> Example:
    row, id_ = one.row, f"{one.row.id}-{one.kind}"
    return Example(id_, row.source, row.query, document, templates.NO_ANSWER, max_words, one.kind, derived=True)
