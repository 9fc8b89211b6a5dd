"""Licences that rows may be trained on: an allow-list, since a licence that nobody has read is no permission."""

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
class Allowed:
    """Rows that may be used as their split says, and how many were dropped: (source, split, why)."""

    rows: list[Row]
    dropped: Counter[tuple[str, str, str]]


def licence_of(row: Row) -> str | None:
    """Return the row's own licence, or its source's where it has none."""
    return row.license or _BY_SOURCE.get(row.source)


def refusal(row: Row, extra_licenses: Sequence[str] = ()) -> str | None:
    """Return why a row must not be used as its split says; None: it may. Tests need no licence to train."""
    if row.split == "test":
        return None
    if row.source in EVALUATION_ONLY:
        return "evaluation only"
    licence = licence_of(row)
    if licence is None:
        return "no licence stated"
    known = {_folded(text) for text in (*_ALLOWED, *extra_licenses)}
    return None if _folded(licence) in known else f"licence not on the allow-list: {licence}"


def allowed(rows: Iterable[Row], extra_licenses: Sequence[str] = ()) -> Allowed:
    """Keep the rows that may be used."""
    reasons = [(row, refusal(row, extra_licenses)) for row in rows]
    dropped: Counter[tuple[str, str, str]] = Counter((row.source, row.split, why) for row, why in reasons if why)
    return Allowed([row for row, why in reasons if not why], dropped)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
