"""The label stage's shards on Ray Data: one teacher a machine, or a GPU, and the shards as they are done."""

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from querygist.errors import ConfigurationError, QuerygistError

Shard = dict[str, Any]
"""`number`; before, `asked`: examples as JSON; after, `lines` of its file, and `metrics` as JSON. Plain, for Ray."""


def on_ray(todo: Sequence[Shard], labeller: type[Any], arguments: Sequence[Any]) -> Iterator[Shard]:
    """The shards, each as soon as it is done: on the cluster of RAY_ADDRESS, else on this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers about every run
    try:
        import ray.data  # noqa: PLC0415  large, and needed here only
    except ImportError as error:
        raise ConfigurationError('label.ray needs Ray: pip install "ray[data]". Or set label.ray to false.') from error
    own = not ray.is_initialized()
    if own:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # ours counts what is saved
    context.raise_original_map_exception = True
    gpus = int(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]
    machines = sum(node["Alive"] for node in ray.nodes())  # type: ignore[no-untyped-call]
    try:
        # A block is a shard: it comes back as soon as it is done, and only from there it is saved.
        shards = ray.data.from_items(list(todo), override_num_blocks=len(todo)).map(
            labeller,
            fn_constructor_args=tuple(arguments),
            compute=ray.data.ActorPoolStrategy(size=min(len(todo), gpus or machines)),
            num_gpus=1 if gpus else 0,
        )
        yield from shards.iter_rows()
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, QuerygistError):
            raise error.cause from error
        raise
    finally:
        if own:
            ray.shutdown()
