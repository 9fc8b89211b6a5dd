"""Stage `preferences`: pairs of summaries, the better and the worse, from all that says which is which.

People's judgements and clear A/B clicks, where files are given; and, marked as derived, the student's own samples,
ranked by ROUGE-2 against the answer that people chose.

work_dir/
    pairs.jsonl                 training.preferences.pairs
    preferences.json            how many pairs, by origin, and what was dropped for which reason
    preferences.fingerprint.json
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
from training.config import Config, PreferencesConfig
from training.data.examples import Example, read_examples
from training.generate.generator import Generated, Generator, Sampling
from training.preferences import click_log, click_pairs, judgements, pairs
from training.preferences.pairs import FilterResult, Pair

PAIRS, COUNTS, FINGERPRINT = "pairs.jsonl", "preferences.json", "preferences.fingerprint.json"


def run(config: Config, console: Console, sampler: Callable[[], Generator], sampler_is: str) -> None:
    """Make the pairs, unless they are there. `sampler_is` tells one student from another. Raises QuerygistError."""
    recipe, folder = config.preferences, config.work_dir
    made_from = _made_from(config, sampler_is)
    if fingerprint.matches(folder / FINGERPRINT, made_from):
        console.print(f"preferences: already done, in {folder}")
        return
    origins = {
        "judged": judgements.clear_pairs(judgements.read(recipe.judgements, seed=config.seed), recipe.pair_rules),
        "clicks": click_pairs.clear_pairs(
            click_log.read(recipe.clicks), recipe.click_rules, recipe.pair_rules, seed=config.seed
        ),
        "sampled": _sampled(config, sampler) if recipe.max_prompts else FilterResult([], Counter()),
    }
    found = [pair for result in origins.values() for pair in result.pairs]
    pairs.write_pairs(folder / PAIRS, found)
    counts = {name: {"pairs": len(one.pairs), "dropped": dict(one.dropped)} for name, one in origins.items()}
    (folder / COUNTS).write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    fingerprint.write(folder / FINGERPRINT, made_from, [folder / PAIRS, folder / COUNTS])
    console.print(f"preferences: {len(found)} pairs ({', '.join(f'{len(s.pairs)} {n}' for n, s in origins.items())})")


def ranked(samples: Iterable[tuple[Example, Sequence[Generated]]], recipe: PreferencesConfig) -> Iterator[Pair | str]:
    """Yield the best and the worst sample of each example, or why there is no pair. Refusals are no samples."""
    for example, written in samples:
        scores = {one.text: rouge2(one.text, [example.summary]) for one in written if one.answerable}
        if len(scores) < 2:
            yield "fewer than two different samples"
            continue
        best, worst = max(scores, key=scores.__getitem__), min(scores, key=scores.__getitem__)
        if scores[best] < recipe.min_rouge2:
            yield "not even the best is near the answer"
        elif scores[best] - scores[worst] < recipe.min_rouge2_gap:
            yield "best and worst too near"
        else:
            id_, asked = f"{example.id}-sampled", example.max_words
            yield Pair(id_, example.query, example.document, asked, best, worst, "sampled", derived=True)


def _sampled(config: Config, sampler: Callable[[], Generator]) -> FilterResult:
    recipe = config.preferences
    positives = [one for one in read_examples(config.work_dir / "train.jsonl") if one.kind == "positive"]
    examples = [one for one in positives if one.source not in recipe.exclude_sources][: recipe.max_prompts]
    generator = sampler()
    try:
        sampling = Sampling(recipe.num_generations, recipe.temperature, config.seed)
        written = track(generator.generate(examples, sampling), "sampling", total=len(examples))
        outcomes = list(ranked(zip(examples, written, strict=True), recipe))
    finally:
        generator.close()
    result = pairs.filter_pairs((one for one in outcomes if isinstance(one, Pair)), recipe.pair_rules)
    return FilterResult(result.pairs, result.dropped + Counter(one for one in outcomes if isinstance(one, str)))


def _made_from(config: Config, sampler_is: str) -> dict[str, str]:
    """Return hashes of all that the pairs depend on."""
    inputs: list[Path] = [*config.preferences.judgements, *config.preferences.clicks, config.work_dir / "train.jsonl"]
    options = f"{config.preferences.model_dump_json()} {config.seed} {config.prompt_version}"
    return {
        **{str(path): sha256_of(path) if path.exists() else "missing" for path in inputs},
        "config": fingerprint.sha256_of_text(options),
        "sampler": sampler_is,
        "code": fingerprint.sha256_of_code(__name__),
    }
