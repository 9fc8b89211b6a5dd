"""Stage `export`: the best student's adapter to where it is served from, with its manifest and its model card."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.evaluation import report_files
from querygist.files import replacing
from training.config import Config
from training.data.dataset_card import DERIVED
from training.evaluate import report as reports
from training.evaluate.baselines import QUOTE
from training.export import canary, weights_folder
from training.train.select_best import select_best
from training.train.trainer import BEST, stage_adapter

CARD, TEMPLATE = "README.md", Path(__file__).with_name("model_card.md")
_IDENTITY = re.compile(r'(key: "querygist_identity" value: \{ string_value: ")(?:[^"\\]|\\.)*(")')


def run(config: Config, console: Console) -> None:
    """Write `export.folder`, from the report `export.report` if there is one. Raises QuerygistError."""
    recipe = config.export
    stage = select_best(config)
    found = _report(config)
    folder = weights_folder.assemble(
        recipe.folder,
        stage_adapter(config.work_dir, stage),
        prompt_version=config.prompt_version,
        version=recipe.version,
        scores=_scores(found, recipe.system),
    )
    known = canary.measure(settings.load(weights_dir=folder))
    if known is None:
        console.print("export: nothing in its answer to the canary is certain enough; engines will not be asked for it")
    else:
        weights_folder.record_canary(folder, known)
    manifest = Manifest.load(folder)
    data = json.loads((config.work_dir / "data_card.json").read_text(encoding="utf-8"))
    with replacing(folder / CARD) as partial:
        partial.write_text(card(config, manifest, stage, data, found), encoding="utf-8")
    if recipe.triton_config is not None:
        name_on_triton(manifest, recipe.triton_config)
    console.print(f"export: {manifest.name} {manifest.version}, of the stage {stage}, in {folder}")


def name_on_triton(manifest: Manifest, config: Path) -> None:
    """Let the GPU's server say that it serves this model: the gateway talks to no other. In FP8, as it is built."""
    identity = json.dumps(asdict(replace(manifest.identity("int8"), precision="fp8")))
    quoted = json.dumps(identity)[1:-1]  # protobuf's text format escapes as JSON does
    text, count = _IDENTITY.subn(lambda match: match[1] + quoted + match[2], config.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"{config} must name querygist_identity once, not {count} times")
    with replacing(config) as partial:
        partial.write_text(text, encoding="utf-8")


def card(config: Config, manifest: Manifest, stage: str, data: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Return the model card: what it is, what it learned from, how good it is, and what not to expect of it."""
    best = json.loads((config.work_dir / stage / BEST).read_text(encoding="utf-8"))
    sources = report_files.table(
        ("source", "answers", "refusals", "of the answers derived", "licence"),
        (
            (
                *(source, one["kinds"]["positive"], one["kinds"]["hard"] + one["kinds"]["unrelated"], one["derived"]),
                "; ".join(data["licences"][source]),
            )
            for source, one in sorted(data["files"]["train.jsonl"]["sources"].items())
        ),
    )
    return TEMPLATE.read_text(encoding="utf-8").format(
        manifest=manifest, stage=stage, best=best, config=config, sources=sources, derived=DERIVED,
        scores=_score_table(found, config.export.system),
    )  # fmt: skip


def _report(config: Config) -> Mapping[str, Any]:
    """Return the evaluation's numbers; none where it has not been run."""
    path = config.evaluate.folder / config.export.report / reports.JSON
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"systems": {}}
    return found


def _scores(found: Mapping[str, Any], system: str) -> dict[str, float] | None:
    """Return ROUGE-2 F1 x 100 by source."""
    by_source = found["systems"].get(system, {})
    return {
        f"{source} rouge2": round(one["quality"]["rouge"]["rouge2"]["mean"], 2)
        for source, one in by_source.items()
        if one["quality"]
    } or None


def _score_table(found: Mapping[str, Any], system: str) -> str:
    by_source = {source: one["quality"] for source, one in found["systems"].get(system, {}).items() if one["quality"]}
    if not by_source:
        return "Not evaluated."
    quote = found["systems"][QUOTE]

    def cells(source: str, quality: Mapping[str, Any]) -> tuple[object, ...]:
        beside = quote[source]["quality"]["rouge"]
        names = ("rouge1", "rouge2", "rouge_l")
        rouge = (f"{quality['rouge'][name]['mean']:.1f} ({beside[name]['mean']:.1f})" for name in names)
        words, copied = quality["words"]["mean"], quality["copied"]["mean"]
        return (source, quality["rows"], *rouge, f"{words:.0f}", f"{copied:.2f}")

    header = ("source", "rows", "ROUGE-1", "ROUGE-2", "ROUGE-L", "words", "copied")
    table = report_files.table(header, (cells(source, quality) for source, quality in by_source.items()))
    note = "The served int8 model on the test rows; ROUGE F1 x 100, and in brackets those of the quote."
    return f"{note}\n\n{table}"
