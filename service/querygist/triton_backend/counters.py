"""The CPU model's own metrics on Triton's /metrics page. Counted here and handed over now and then, because every
update of a Triton metric is a message to the server process.
"""

import threading
from typing import Any

import triton_python_backend_utils as pb_utils

from querygist.engines.openvino.scheduler import Progress

COUNTERS = {
    "prompt_tokens": "Prompt tokens taken in",
    "generation_tokens": "Tokens generated, end tokens excluded",
    "candidate_tokens_drafted": "Candidate tokens put before the model",
    "candidate_tokens_accepted": "Candidate tokens the model agreed with",
    "request_passes": "Forward passes that generated tokens, counted per request",
    "request_batch": "Requests the pass made tokens for, summed over request passes: divided by them, the mean batch",
    "cancelled": "Prompts cancelled before they were answered",
    "failed": "Prompts the engine could not answer",
}


class Counts:
    """Counters `querygist_batcher_<name>_total` and the gauge `querygist_batcher_active_requests`."""

    def __init__(self, model: str, version: str) -> None:
        labels = {"model": model, "version": version}
        self._lock = threading.Lock()
        self._pending = dict.fromkeys(COUNTERS, 0)
        self._families = {
            name: pb_utils.MetricFamily(f"querygist_batcher_{name}_total", text, pb_utils.MetricFamily.COUNTER)
            for name, text in COUNTERS.items()
        }
        self._counters = {name: family.Metric(labels=labels) for name, family in self._families.items()}
        self._active_family = pb_utils.MetricFamily(
            "querygist_batcher_active_requests", "Prompts taken in and not yet answered", pb_utils.MetricFamily.GAUGE
        )
        self._active: Any = self._active_family.Metric(labels=labels)
        self._shown = 0

    def prompt(self, tokens: int) -> None:
        """Count a prompt taken in."""
        with self._lock:
            self._pending["prompt_tokens"] += tokens

    def progress(self, progress: Progress) -> None:
        """Count what one pass added to one prompt's answer."""
        with self._lock:
            pending = self._pending
            pending["generation_tokens"] += len(progress.ids)
            pending["candidate_tokens_drafted"] += progress.drafted
            pending["candidate_tokens_accepted"] += progress.accepted
            pending["request_passes"] += progress.batch > 0
            pending["request_batch"] += progress.batch
            pending["cancelled"] += progress.finished == "cancelled"
            pending["failed"] += progress.error is not None

    def publish(self, *, active: int) -> None:
        """Hand over what has changed."""
        with self._lock:
            pending, self._pending = self._pending, dict.fromkeys(COUNTERS, 0)
        for name, value in pending.items():
            if value:
                self._counters[name].increment(value)
        if active != self._shown:
            self._active.set(active)
            self._shown = active
