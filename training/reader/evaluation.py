"""Labelled pages to choose by and to report on: people's answers, pages that people say do not answer, look-alikes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from training.config import Config
from training.data.deduplication import Runs
from training.data.negatives import Pool
from training.reader.rows import ReaderRow, read, validation_ids
from training.stable_random import draw

OWN_WORDS = frozenset({"pubmedqa", "qmsum_goldspan"})
"""Sources whose answers are in people's own words: no unit of the page is one."""

SAME_ANSWERS = frozenset(
    {"policyqa", "policyqa_sent", "aclsum", "qmsum_goldspan", "feedbackqa", "conditionalqa_pool", "cast_snippets"}
)
"""Sources whose most similar page may answer, too: no hard negatives are made of them."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A query, a page, people's answers to it, and how the label was come by: `answerable`, `people` (who say that it
    does not answer), `hard` (the most similar page of its source) or `unrelated`. Without answers it does not answer.
    """

    id: str
    source: str
    query: str
    document: str
    answers: tuple[str, ...]
    kind: str


def choices(config: Config) -> tuple[list[Labelled], list[Labelled]]:
    """Return the frozen rows for choices, and those of the split validation, with negatives from both's documents."""
    rows = read(config.reader.files)
    chosen = validation_ids(config.reader.validation_file).rows if config.reader.validation_file else frozenset()
    frozen = [row for row in rows if row.id in chosen]
    others = [row for row in rows if row.split == "validation" and row.id not in chosen]
    return labelled(frozen, frozen + others, config.seed), labelled(others, frozen + others, config.seed)


def test(config: Config) -> list[Labelled]:
    """Return at most `test_rows` test rows of each source, with negatives from all test documents."""
    rows = [row for row in read(config.reader.test_files) if row.split == "test"]
    counts: Counter[str] = Counter()
    found: list[ReaderRow] = []
    for row in sorted(rows, key=lambda row: draw(config.seed, "reader test", row.id)):
        counts[row.source] += 1
        if counts[row.source] <= config.reader.test_rows:
            found.append(row)
    return labelled(found, rows, config.seed)


def labelled(rows: Sequence[ReaderRow], pool_rows: Sequence[ReaderRow], seed: int) -> list[Labelled]:
    """Return the rows, and for each answered one a hard and an unrelated negative from `pool_rows`, if there is one."""
    found = [
        Labelled(row.id, row.source, row.query, row.document, row.answers, "answerable" if row.answerable else "people")
        for row in rows
    ]
    for source in sorted({row.source for row in rows if row.answerable}):
        pool = Pool([row.as_row() for row in pool_rows if row.source == source], Runs())
        for row in rows:
            if row.source != source or not row.answerable:
                continue
            if source not in SAME_ANSWERS and (other := pool.hard(row.as_row())) is not None:
                found.append(Labelled(f"{row.id} hard", source, row.query, other.document, (), "hard"))
            if (other := pool.unrelated(row.as_row(), seed)) is not None:
                found.append(Labelled(f"{row.id} unrelated", source, row.query, other.document, (), "unrelated"))
    return found
