"""Stage `fit-fusion`: what the reader's scores mean, on the validation rows for choices, written on its card.

A temperature makes a probability of the page's logit, a threshold on it decides what is refused, and a few weights make
one score of the reader's and BM25's. `entry` and `next_bonus` are those of the quote that is made of these scores.

work_dir/reader/shipped/   the reader as it ships: int8, tokenizer, card
docs/results/reader/       choices.md, choices.json, choices.png
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load_file

from querygist import settings
from querygist.errors import ConfigurationError
from querygist.evaluation.rouge import rouge2
from querygist.evaluation.sentences import compare, used
from querygist.pipeline.fusion import FEATURES, Fusion, features
from querygist.text.quote import quote_of
from querygist.text.sentences import bounded_spans
from training.config import Config
from training.reader import base, calibration, card, evaluation, losses, quantize, report
from training.reader.examples import UNKNOWN
from training.reader.read_pages import ReadPage, read_all
from training.reader.similarity import untouched
from training.reader.stage import FOLDER
from training.reader.trainer import WEIGHTS

SHIPPED = "shipped"
COMMAND = "python -m training fit-fusion --config training/configs/reader.yaml"
_ENTRIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_BONUSES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
_LONGER = 60  # words: a length that leaves room, beside people's
_DECAY = 1e-3


def run(config: Config, console: Console) -> None:
    """Fit, and write card and report. Raises ConfigurationError when the stage `reader` was not run."""
    folder = config.work_dir / FOLDER
    if not (folder / WEIGHTS).exists():
        raise ConfigurationError(f"There is no {folder / WEIGHTS}. Run the reader stage first.")
    shipped, write_card = _ship(folder)
    frozen, others = evaluation.choices(config)
    pages = read_all(shipped, [*frozen, *others])
    logits = np.array([page.logit for page in pages])
    answerable = np.array([float(page.item.kind == "answerable") for page in pages])
    temperature = calibration.fit_temperature(logits, answerable)
    limit = np.quantile(logits[answerable == 1], config.reader.false_refusals)
    threshold = float(calibration.probability(limit, temperature))
    answered = [page for page in pages[: len(frozen)] if page.item.answers]
    fusion = fit_quote(answered, fit_units(answered) | {"listed": config.reader.listed_weight})
    write_card(temperature=temperature, threshold=threshold, fusion=asdict(fusion))
    found = report.build(
        pages, fusion, untouched(config), temperature=temperature, threshold=threshold, seed=config.seed
    )
    title = "The reader on validation rows, by which it was chosen"
    console.print(f"fit-fusion: {shipped}, {report.write(config.reader.folder, 'choices', title, COMMAND, found)}")


def _ship(folder: Path) -> tuple[Path, Callable[..., Path]]:
    """Write what ships, its card without what is to be fitted; return the folder, and what writes the card again."""
    shipped = folder / SHIPPED
    shipped.mkdir(exist_ok=True)
    weights = quantize.save(load_file(folder / WEIGHTS), shipped)
    write_card = partial(card.write, shipped, weights, base.fetch(settings.load().cache_dir).tokenizer)
    write_card(fusion={})
    return shipped, write_card


def fit_units(pages: Sequence[ReadPage]) -> dict[str, float]:
    """Return bias and weights under which units that answer are likely (logistic), and likelier than those beside them
    (listwise), with a little decay.
    """
    columns = [features(page.ranking, page.reading) for page in pages]
    inputs = torch.zeros(len(pages), max(map(len, columns)), len(FEATURES))
    answers = torch.full(inputs.shape[:2], UNKNOWN)
    for row, (page, units) in enumerate(zip(pages, columns, strict=True)):
        for place, (values, mark) in enumerate(zip(units, page.marks, strict=True)):
            if values is not None and mark is not None:
                inputs[row, place] = torch.tensor(values)
                answers[row, place] = int(mark)
    weights = torch.zeros(1 + len(FEATURES), requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = weights[0] + inputs @ weights[1:]
        value = losses.units(logits, answers, 1.0) + losses.listwise(logits, answers) + _DECAY * weights.square().sum()
        torch.autograd.backward(value)
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return dict(zip(("bias", *FEATURES), weights.detach().tolist(), strict=True))


def fit_quote(pages: Sequence[ReadPage], weights: Mapping[str, float]) -> Fusion:
    """Return the weights with the `entry` and the `next_bonus` whose quotes are the best."""
    tried = [Fusion(**weights, entry=entry, next_bonus=bonus) for entry in _ENTRIES for bonus in _BONUSES]
    means = [fmean(objective(page, one) for page in pages) for one in track(tried, description="quotes")]
    return tried[int(np.argmax(means))]


def objective(page: ReadPage, fusion: Fusion) -> float:
    """Return the mean of ROUGE-2 and sentence F1 of the quotes of people's length and of 60 words, 0 to 100."""
    ranking = fusion.fused(page.ranking, page.reading)
    return fmean(
        _score(page, quote_of(ranking, max_words=words, weights=fusion.quote_weights).text)
        for words in (len(page.item.answers[0].split()), _LONGER)
    )


def _score(page: ReadPage, text: str) -> float:
    document, answers = page.item.document, page.item.answers
    sentences = bounded_spans(document)
    overlap = rouge2(text, answers)
    wanted = [places for answer in answers if (places := used(document, sentences, answer))]
    if not wanted:
        return overlap
    chosen = used(document, sentences, text)
    return (overlap + max(compare(chosen, places).f1 for places in wanted)) / 2
