"""What may be trained on: an allow-list, since a licence that nobody has read is no permission."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from training.data.raw_dataset import Row

EVALUATION_ONLY = frozenset({"cast_snippets", "wikiqa"})
"""Sources without an open licence, whatever their rows say: for the test set and for nothing else."""

_ALLOWED = (
    "MIT",
    "Apache-2.0",
    "Apache-2.0 (Wikipedia CC BY-SA text)",
    "Apache-2.0 repo / source papers CC BY",
    "CC BY 2.5",
    "CC BY 2.5 (BioASQ)",
    "CC BY 4.0",
    "CC BY-SA 3.0",
    "CC BY-SA 4.0",
    "CC0 1.0",
)
"""`license` fields that someone has read. Whole fields: "MIT, non-commercial" is not "MIT"."""

_BY_SOURCE = {
    "bioasq": "CC BY 2.5 (BioASQ)",
    "covidqa": "Apache-2.0 repo / source papers CC BY",
    "policyqa": "MIT",
    "pubmedqa": "MIT",
    "qed": "CC BY-SA 3.0",
    "qmsum_goldspan": "MIT",
    "quotesum": "CC BY-SA 4.0",
    "selqa": "Apache-2.0 (Wikipedia CC BY-SA text)",
    "xquad_en": "CC BY-SA 4.0",
}
"""The licence of a row without the field."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Rows that may be used as their split says, and how many were refused: (source, split, why)."""

    rows: list[Row]
    refused: Counter[tuple[str, str, str]]


def licence_of(row: Row) -> str | None:
    """The row's own licence, or its source's where it has none."""
    return row.license or _BY_SOURCE.get(row.source)


def refusal(row: Row, also_allow: Sequence[str] = ()) -> str | None:
    """Why a row must not be used as its split says; None: it may. Tests need no licence to train."""
    if row.split == "test":
        return None
    if row.source in EVALUATION_ONLY:
        return "evaluation only"
    licence = licence_of(row)
    if licence is None:
        return "no licence stated"
    allowed = {_folded(text) for text in (*_ALLOWED, *also_allow)}
    return None if _folded(licence) in allowed else f"licence not on the allow-list: {licence}"


def sort(rows: Iterable[Row], also_allow: Sequence[str] = ()) -> Sorted:
    """Keep what may be used."""
    kept, refused = [], Counter[tuple[str, str, str]]()
    for row in rows:
        if why := refusal(row, also_allow):
            refused[row.source, row.split, why] += 1
        else:
            kept.append(row)
    return Sorted(kept, refused)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
