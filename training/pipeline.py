"""The stages in order, each resumable: from rows of public data sets to the model that is served."""

from collections.abc import Callable
from functools import partial

from rich.console import Console

from querygist.errors import ConfigurationError
from training.config import Config

Stage = Callable[[Config, Console], None]


def run(config: Config, console: Console) -> None:
    """Every stage of `config.stages`; those that are done already say so. Raises QuerygistError."""
    for name in config.stages:
        console.rule(name)
        STAGES[name](config, console)


# A stage brings its own libraries, and the large ones only it.


def data(config: Config, console: Console) -> None:
    """Rows of public data sets to training, validation and test files, with a data card."""
    from training.data import build_dataset as stage  # noqa: PLC0415

    stage.run(config, console)


def sft(config: Config, console: Console) -> None:
    """Fine-tune on the data stage's files; goes on from the last checkpoint."""
    from training.train import sft as stage  # noqa: PLC0415

    stage.run(config, console)


def label(config: Config, console: Console) -> None:
    """Let a teacher write summaries, and keep the good ones."""
    from training.generate import label as stage  # noqa: PLC0415
    from training.generate.resolve import create  # noqa: PLC0415

    stage.run(config, console, partial(create, config.teacher, config, sampling=True))


def distill(config: Config, console: Console) -> None:
    """Train on the teacher's labels, and on its probabilities if asked to."""
    from training.train import distill as stage  # noqa: PLC0415

    stage.run(config, console)


def preferences(config: Config, console: Console) -> None:
    """Pairs of summaries, the better and the worse, from judgements, clicks and the student's own samples."""
    from training.config import GeneratorConfig  # noqa: PLC0415
    from training.generate.resolve import create, name  # noqa: PLC0415
    from training.preferences import build_pairs as stage  # noqa: PLC0415

    if config.dpo.start is None:
        raise ConfigurationError("dpo.start must name a stage: its student is what the samples are taken from.")
    student = GeneratorConfig(stage=config.dpo.start)
    stage.run(config, console, partial(create, student, config, sampling=True), name(student, config))


def dpo(config: Config, console: Console) -> None:
    """Train on the pairs."""
    from training.train import dpo as stage  # noqa: PLC0415

    stage.run(config, console)


def evaluate(config: Config, console: Console) -> None:
    """Measure every system on the frozen test files."""
    from training.evaluate import evaluation as stage  # noqa: PLC0415

    stage.run(config, console)


def export(config: Config, console: Console) -> None:
    """Put the best student where it is served from."""
    from training.export import release as stage  # noqa: PLC0415

    stage.run(config, console)


def lookahead_sweep(config: Config, console: Console) -> None:
    """Study what lookahead decoding saves the shipped student, over (W, N, G)."""
    from training.lookahead import sweep as stage  # noqa: PLC0415

    stage.run(config, console)


def quantize(config: Config, console: Console) -> None:
    """FP8 checkpoints of the shipped student for TensorRT-LLM, checked, and what FP8 costs; no part of `pipeline`."""
    from training.fp8 import quantize as stage  # noqa: PLC0415

    stage.run(config, console)


STAGES: dict[str, Stage] = {
    stage.__name__: stage for stage in (data, sft, label, distill, preferences, dpo, evaluate, export)
}
"""In the order for a student that is its own teacher; a stronger one labels before `sft`."""
