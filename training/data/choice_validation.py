"""Stage `choices`: the validation set for choices of sentences, frozen before anything was fitted on it.

choices.frozen (committed)              ids of its rows with the hash of each, and of rows that training must leave out
work_dir/choice_validation.jsonl        the examples, made of the rows behind these ids

Without the frozen file the rows are drawn, once; with it they must be the same, or nothing is written. What is drawn
depends on sentence ends and on BM25, which change; what was drawn does not.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console

from querygist.errors import ConfigurationError
from querygist.files import replacing
from querygist.prompting import templates
from training.config import ChoicesConfig, Config
from training.data import choice_rows, choice_selection
from training.data.choice_rows import ChoiceRow
from training.data.choice_selection import Stratum
from training.data.examples import Example, write_examples
from training.data.jsonl import describe

FILE = "choice_validation.jsonl"

_MOST_SHOWN = 5
_FEWEST_WORDS, _MOST_WORDS = 5, 120  # of `max_words` in a request


class FrozenRow(BaseModel):
    """One chosen row: its stratum when it was drawn, and the hash of its texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stratum: Stratum
    sha256: str


class Frozen(BaseModel):
    """The frozen file. `excluded`: rows that share 13 words in a row with a chosen row's document.

    `max_words`: asked of each source, the mean length of its people's answers in all training rows, in fives.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: dict[str, FrozenRow]
    excluded: list[str]
    max_words: dict[str, int]
    sha256: str

    @classmethod
    def of(cls, selection: choice_selection.Selection, rows: Sequence[ChoiceRow]) -> "Frozen":
        """Freeze a selection from these rows."""
        by_id = {row.id: row for row in rows}
        chosen = {id_: FrozenRow(stratum=stratum, sha256=by_id[id_].sha256) for id_, stratum in selection.rows.items()}
        return cls(
            rows=chosen,
            excluded=list(selection.excluded),
            max_words=_mean_words(rows, {by_id[id_].source for id_ in chosen}),
            sha256=_sha256({id_: row.sha256 for id_, row in chosen.items()}),
        )

    @property
    def held_out(self) -> frozenset[str]:
        """The ids of all rows that nothing may be trained on."""
        return frozenset(self.rows) | frozenset(self.excluded)

    def examples(self, rows: Sequence[ChoiceRow]) -> list[Example]:
        """Return the examples behind the ids. Raises ConfigurationError when a row is missing, or not the same."""
        by_id = {row.id: row for row in rows}
        wrong = [id_ for id_, row in self.rows.items() if id_ not in by_id or by_id[id_].sha256 != row.sha256]
        if wrong:
            raise ConfigurationError(
                f"{len(wrong)} of {len(self.rows)} validation rows for choices are missing or not the ones that were "
                f"frozen, such as {', '.join(wrong[:_MOST_SHOWN])}. Set choices.files to where they were drawn from."
            )
        return [self._example(by_id[id_]) for id_ in self.rows]

    def _example(self, row: ChoiceRow) -> Example:
        seen = choice_rows.clean(row)
        return Example(
            *(row.id, row.source, seen.query, seen.document),
            summary=seen.references[0] if row.answerable else templates.NO_ANSWER,
            max_words=self.max_words[row.source],
            kind="positive" if row.answerable else "hard",
            derived=False,
            references=seen.references,
        )


def run(config: Config, console: Console) -> None:
    """Write the examples, after the frozen file if there is none yet. Raises ConfigurationError."""
    choices = config.choices
    if not choices.files:
        raise ConfigurationError("choices.files is empty: set it to the rows that the validation set was drawn from.")
    rows = choice_rows.read(choices.files)
    if not choices.frozen.exists():
        _freeze(choices, rows, config.seed)
        console.print(f"choices: frozen, in {choices.frozen}")
    examples = read_frozen(choices.frozen).examples(rows)
    write_examples(config.work_dir / FILE, examples)
    console.print(f"choices: {len(examples)} examples, in {config.work_dir / FILE}")


def read_frozen(path: Path) -> Frozen:
    """Return the frozen file. Raises ConfigurationError when it cannot be read, or does not match its own hash."""
    try:
        found = Frozen.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"Cannot read the frozen rows {path}: {error.strerror}.") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path} is no file of frozen rows: {describe(error)}.") from error
    if found.sha256 != _sha256({id_: row.sha256 for id_, row in found.rows.items()}):
        raise ConfigurationError(f"The rows in {path} were edited after they were frozen. Restore it from the history.")
    return found


def _freeze(choices: ChoicesConfig, rows: Sequence[ChoiceRow], seed: int) -> None:
    held_out = [
        row.document for row in (*rows, *choice_rows.read(choices.held_out)) if row.split not in {"train", None}
    ]
    selection = choice_selection.select(
        rows, answerable=choices.answerable, unanswerable=choices.unanswerable, others=held_out, seed=seed
    )
    content: Any = Frozen.of(selection, rows).model_dump()
    with replacing(choices.frozen) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _mean_words(rows: Iterable[ChoiceRow], sources: Iterable[str]) -> dict[str, int]:
    """Return the length to ask of each source; of one that has no answers, the mean over all."""
    lengths: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row.answerable and row.split == "train":
            lengths[row.source].append(len(row.summary.split()))
    every = [length for of_source in lengths.values() for length in of_source]
    return {source: _in_fives(lengths.get(source) or every) for source in sorted(sources)}


def _in_fives(lengths: Sequence[int]) -> int:
    return min(_MOST_WORDS, max(_FEWEST_WORDS, 5 * round(sum(lengths) / len(lengths) / 5)))


def _sha256(rows: Mapping[str, str]) -> str:
    return sha256("".join(f"{id_} {hash_}\n" for id_, hash_ in rows.items()).encode()).hexdigest()
