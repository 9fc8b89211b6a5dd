"""The stages in order, each resumable: from rows of public data sets to the model that is served."""

from collections.abc import Callable
from functools import partial
from importlib import import_module

from rich.console import Console

from querygist.errors import ConfigurationError
from training.config import Config, GeneratorConfig

Stage = Callable[[Config, Console], None]


def _stage(module: str, summary: str) -> Stage:
    """Return the `run` of a module, imported when called: a stage brings its own libraries."""

    def stage(config: Config, console: Console) -> None:
        import_module(module).run(config, console)

    stage.__doc__ = summary
    return stage


def label(config: Config, console: Console) -> None:
    """Let a teacher write summaries, and keep the good ones."""
    from training.generate import label as stage  # noqa: PLC0415
    from training.generate.resolve import create  # noqa: PLC0415

    stage.run(config, console, partial(create, config.teacher, config, sampling=True))


def preferences(config: Config, console: Console) -> None:
    """Pairs of summaries, the better and the worse, from judgements, clicks and the student's own samples."""
    from training.generate.resolve import create, name  # noqa: PLC0415
    from training.preferences import build_pairs as stage  # noqa: PLC0415

    if config.dpo.init_from is None:
        raise ConfigurationError("dpo.init_from must name a stage: its student is what the samples are taken from.")
    student = GeneratorConfig(stage=config.dpo.init_from)
    stage.run(config, console, partial(create, student, config, sampling=True), name(student, config))


STAGES: dict[str, Stage] = {
    "data": _stage("training.data.build_dataset", "Rows of public data sets to training and test files, with a card."),
    "sft": _stage("training.train.sft", "Fine-tune on the data stage's files; goes on from the last checkpoint."),
    "label": label,
    "distill": _stage("training.train.distill", "Train on the teacher's labels, and on its probabilities if asked to."),
    "preferences": preferences,
    "dpo": _stage("training.train.dpo", "Train on the pairs."),
    "reader": _stage("training.reader.stage", "Train the reader, which scores a page and its units for a query."),
    "fit-fusion": _stage("training.reader.fit_fusion", "Fit what the reader's scores mean, and write its card."),
    "export-reader": _stage("training.reader.export", "Put the reader where it is served from."),
    "evaluate-reader": _stage("training.reader.evaluate", "Measure the reader in service on the test rows."),
    "evaluate": _stage("training.evaluate.evaluation", "Measure every system on the frozen test files."),
    "export": _stage("training.export.release", "Put the best student where it is served from."),
}
"""In the order for a student that is its own teacher; a stronger one labels before `sft`."""


def run(config: Config, console: Console) -> None:
    """Run every stage of `config.stages`; those that are done already say so. Raises QuerygistError."""
    for name in config.stages:
        console.rule(name)
        STAGES[name](config, console)


COMMANDS: dict[str, Stage] = {
    **STAGES,
    "pipeline": run,
    "choices": _stage(
        "training.data.choice_validation", "The frozen validation set for choices of sentences, checked."
    ),
    "fit-quote": _stage("training.fit.fit_quote", "Search the quote's weights on the validation set for choices."),
    "quantize": _stage(
        "training.fp8.quantize", "FP8 checkpoints of the shipped student for TensorRT-LLM, checked, and what FP8 costs."
    ),
    "lookahead-sweep": _stage(
        "training.lookahead.sweep", "Study what lookahead decoding saves the shipped student, over (W, N, G)."
    ),
}
"""Commands that run with a configuration."""
