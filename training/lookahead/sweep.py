"""Stage `lookahead-sweep`: how many passes lookahead decoding saves the shipped student, over (W, N, G).

Without a window (W = 0) drafts come from the text alone and follow from the greedy output, so these are replayed
without the model, on many rows. With one the model is run, on the first of them.

work_dir/lookahead/<hash>.jsonl     a line for each row and shape that the model decoded, as they come: resumable
docs/results/lookahead/             lookahead.md, lookahead.json, plots
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.progress import Progress

from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.pipeline.attribution import attribute
from querygist.pipeline.generation import token_limit
from querygist.text.cleaning import CleanDocument
from training.config import Config
from training.context import TrainingContext
from training.data.build_examples import FILES
from training.data.examples import Example, read_examples
from training.evaluate.outputs import append_line, spread, whole_lines
from training.fingerprint import sha256_of_text
from training.fp8.source_model import shipped_student
from training.lookahead import report
from training.lookahead.compression import Row
from training.lookahead.decoding import Decoded, decode, prefill
from training.lookahead.ngram_pool import Shape, replay

Decodings = dict[tuple[str, Shape], Decoded]
"""Outputs of the model, by row and shape."""

GREEDY = Shape(0, 8, 8)
"""How the greedy outputs are written: every shape gives the same, this one soon."""

_EXTRACTIVE = 0.7
"""Of the word pairs of a source's references, the share that its documents have, from which on it is extractive."""


def run(config: Config, console: Console) -> None:
    """Decode what is missing, replay the rest, and write the report. Raises QuerygistError."""
    recipe, here = config.lookahead, TrainingContext(config)
    test = read_examples(config.work_dir / FILES["test"])
    examples = spread(test, recipe.rows)
    with_model = {one.id for one in spread(examples, recipe.model_rows)}
    shapes = [Shape(*three) for three in product(recipe.windows, recipe.ngrams, recipe.verification_sets)]
    windows = [shape for shape in shapes if shape.window]
    manifest = Manifest.load(settings.load().weights_dir)
    made_from = [manifest.model_dump_json(), *(one.id + one.query + one.document for one in examples)]
    path = config.work_dir / "lookahead" / f"{sha256_of_text(json.dumps(made_from))[:12]}.jsonl"
    decoded = read_decodings(path)
    wanted = {one.id: [GREEDY, *(windows if one.id in with_model else ())] for one in examples}
    _decode(examples, wanted, decoded, path, here, console)

    extractive = _extractive_sources(test)
    rows = []
    for one in examples:
        prompt, greedy = here.encode(one).prompt, decoded[one.id, GREEDY]
        given = {shape: replay(shape, prompt, greedy.ids) for shape in shapes if not shape.window}
        given |= {shape: list(decoded[one.id, shape].given) for shape in wanted[one.id][1:]}
        differing = [shape for shape in wanted[one.id][1:] if decoded[one.id, shape].ids != greedy.ids]
        rows.append(Row(one.source in extractive, len(prompt), given, differing))
    written = report.write(recipe.folder, rows, manifest)
    console.print(f"lookahead-sweep: {len(rows)} rows, {len(with_model)} with the model, {written}")


def _extractive_sources(examples: Iterable[Example]) -> set[str]:
    copied: dict[str, list[float]] = defaultdict(list)
    for one in examples:
        copied[one.source].append(attribute(one.summary, CleanDocument(one.document, source=one.document)).copied)
    return {source for source, shares in copied.items() if mean(shares) >= _EXTRACTIVE}


def _decode(
    examples: Sequence[Example],
    wanted: dict[str, list[Shape]],
    decoded: Decodings,
    path: Path,
    here: TrainingContext,
    console: Console,
) -> None:
    """Let the model decode what is wanted and not there; each output is in the file `path` as soon as it is there."""
    missing = {one.id: [shape for shape in wanted[one.id] if (one.id, shape) not in decoded] for one in examples}
    if not any(missing.values()):
        return
    model = shipped_student(settings.load())
    path.parent.mkdir(parents=True, exist_ok=True)
    with Progress(console=console) as progress:
        task = progress.add_task("decoding", total=sum(map(len, missing.values())))
        for one in examples:
            if missing[one.id]:
                prefilled = prefill(model, here.encode(one).prompt)
                limit = token_limit(one.max_words, here.output_limit)
                for shape in missing[one.id]:
                    progress.update(task, description=f"{one.source} {shape}")
                    found = decode(model, prefilled, shape, end_id=here.end_id, max_new_tokens=limit)
                    append_line(path, {"id": one.id, "shape": shape.numbers, "given": found.given, "ids": found.ids})
                    decoded[one.id, shape] = found
                    progress.advance(task)


def read_decodings(path: Path) -> Decodings:
    """Return the outputs that are on disk. A line that a process died writing is taken off."""
    return {
        (line["id"], Shape(*line["shape"])): Decoded(tuple(line["ids"]), tuple(line["given"]))
        for line in (whole_lines(path) if path.exists() else ())
    }
