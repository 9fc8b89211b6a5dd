"""Stage `preferences`: pairs of summaries, the better and the worse, from all that says which is which.

People's judgements and clear A/B clicks, where files are given; and, marked as derived, the student's own samples,
ranked by ROUGE-2 against the answer that people chose.

work_dir/
    pairs.jsonl                 training.preferences.pairs
    preferences.json            how many pairs, by origin, and what was dropped for which reason
    preferences.receipt.json
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from querygist.evaluation.rouge import rouge2
from querygist.files import sha256_of
from training import fingerprint
from training.config import Config
from training.data import example_io
from training.data.example_io import Example
from training.generate.generator import Generated, Generator, Sampling
from training.preferences import click_log, click_pairs, judgements, pairs
from training.preferences.pairs import Pair, Sifted
from training.sections import PreferencesConfig

PAIRS, COUNTS, RECEIPT = "pairs.jsonl", "preferences.json", "preferences.receipt.json"


def run(config: Config, console: Console, sampler: Callable[[], Generator], sampler_is: str) -> None:
    """Make the pairs, unless they are there. `sampler_is` tells one student from another. Raises QuerygistError."""
    recipe, folder = config.preferences, config.work_dir
    made_from = _made_from(config, sampler_is)
    if fingerprint.holds(folder / RECEIPT, made_from):
        console.print(f"preferences: already done, in {folder}")
        return
    origins = {
        "judged": judgements.clear_pairs(judgements.read(recipe.judgements, seed=config.seed), recipe.pairs),
        "clicks": click_pairs.clear_pairs(click_log.read(recipe.clicks), recipe.rules, recipe.pairs, seed=config.seed),
        "sampled": _sampled(config, sampler) if recipe.sampled else Sifted([], Counter()),
    }
    found = [pair for sifted in origins.values() for pair in sifted.pairs]
    pairs.write(folder / PAIRS, found)
    counts = {name: {"pairs": len(one.pairs), "dropped": dict(one.dropped)} for name, one in origins.items()}
    (folder / COUNTS).write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    fingerprint.write(folder / RECEIPT, made_from, [folder / PAIRS, folder / COUNTS])
    console.print(f"preferences: {len(found)} pairs ({', '.join(f'{len(s.pairs)} {n}' for n, s in origins.items())})")


def ranked(samples: Iterable[tuple[Example, Sequence[Generated]]], recipe: PreferencesConfig) -> Iterator[Pair | str]:
    """The best and the worst sample of each example, or why there is no pair. Refusals are no samples."""
    for example, written in samples:
        scores = {one.text: rouge2(one.text, [example.summary]) for one in written if one.answerable}
        if len(scores) < 2:
            yield "fewer than two different samples"
            continue
        best, worst = max(scores, key=scores.__getitem__), min(scores, key=scores.__getitem__)
        if scores[best] < recipe.least_best:
            yield "not even the best is near the answer"
        elif scores[best] - scores[worst] < recipe.least_gap:
            yield "best and worst too near"
        else:
            id_, asked = f"{example.id}-sampled", example.max_words
            yield Pair(id_, example.query, example.document, asked, best, worst, "sampled", derived=True)


def _sampled(config: Config, sampler: Callable[[], Generator]) -> Sifted:
    recipe = config.preferences
    positives = [one for one in example_io.read(config.work_dir / "train.jsonl") if one.kind == "positive"]
    examples = [one for one in positives if one.source not in recipe.without][: recipe.sampled]
    generator = sampler()
    try:
        sampling = Sampling(recipe.samples, recipe.temperature, config.seed)
        written = track(generator.generate(examples, sampling), "sampling", total=len(examples))
        outcomes = list(ranked(zip(examples, written, strict=True), recipe))
    finally:
        generator.close()
    sifted = pairs.sift((one for one in outcomes if isinstance(one, Pair)), recipe.pairs)
    return Sifted(sifted.pairs, sifted.dropped + Counter(one for one in outcomes if isinstance(one, str)))


def _made_from(config: Config, sampler_is: str) -> dict[str, str]:
    inputs: list[Path] = [*config.preferences.judgements, *config.preferences.clicks, config.work_dir / "train.jsonl"]
    options = f"{config.preferences.model_dump_json()} {config.seed} {config.prompt_version}"
    code = "".join(sha256_of(Path(one.__file__ or "")) for one in (click_log, click_pairs, judgements, pairs))
    return {
        **{str(path): sha256_of(path) if path.exists() else "missing" for path in inputs},
        "config": fingerprint.sha256_of_text(options),
        "sampler": sampler_is,
        "code": fingerprint.sha256_of_text(code + sha256_of(Path(__file__))),
    }
