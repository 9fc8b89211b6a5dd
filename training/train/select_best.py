"""The choice of the student that ships: the one that validates best, not the one that was trained last."""

import json

from querygist.errors import ConfigurationError
from training.config import Config
from training.train.trainer import BEST

SHIPPED = "shipped"
"""The name that stands for the chosen stage wherever a stage can be named."""


def select_best(config: Config) -> str:
    """Return the stage of `export.stages` with the highest validation score; of equals the earlier one.

    Raises ConfigurationError while one of them has not been run.
    """
    scores = {}
    for stage in config.export.stages:
        try:
            scores[stage] = float(json.loads((config.work_dir / stage / BEST).read_text(encoding="utf-8"))["score"])
        except OSError as error:
            raise ConfigurationError(
                f"The stage {stage} of export.stages has not been run to its end: `python -m training {stage}`."
            ) from error
    return max(scores, key=scores.__getitem__)
