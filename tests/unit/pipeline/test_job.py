"""pytest tests/unit/pipeline/test_job.py"""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.trace import INVALID_SPAN

from querygist.pipeline import job as module
from querygist.pipeline.fair_queue import Caller
from querygist.pipeline.job import Job
from querygist.schemas import SummarizeRequest
from querygist.text.ranking import Ranking


def job(text: str) -> Job:
    fields = SummarizeRequest(query="what runs", document=text)
    return Job.of(fields.query, fields, Caller(), started=0, span=INVALID_SPAN)


def test_a_ranking_is_made_once() -> None:
    one = job("The fox runs.")
    assert one.ranking is one.ranking
    assert one.alignment is one.alignment


def test_one_document_does_not_wait_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two jobs in two threads: the second is ranked while the first one still is."""
    begun, go, rank = threading.Event(), threading.Event(), module.rank

    def slow(document: module.CleanDocument, query: str, *, title: str | None) -> Ranking:
        if document.text.startswith("Slow"):
            begun.set()
            go.wait(10)
        return rank(document, query, title=title)

    monkeypatch.setattr(module, "rank", slow)
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(lambda: job("Slow is the snail.").ranking)
        begun.wait(10)
        waiting = threading.Timer(5, go.set)  # where it has to wait, it waits so long
        waiting.start()
        assert job("The fox runs.").ranking.units
        assert not go.is_set()
        waiting.cancel()
        go.set()
        assert first.result().units
