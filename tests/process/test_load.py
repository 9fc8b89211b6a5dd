"""Load tests: a real Locust against a real server with the fake engine."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count, takewhile
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from loadtest.load.arrivals import constant, poisson
from loadtest.load.loops import open_loop
from loadtest.load.report import JSON, MARKDOWN, PNG, Report
from loadtest.load.results import Since
from loadtest.load.statistics import Distribution
from loadtest.load.traffic import MAX_WORDS, PAGE
from loadtest.sweeps import curve
from querygist.client import Client
from querygist.engines.base import Identity
from querygist.engines.fake import FakeEngine
from querygist.evaluation.rows import BUILT_IN, rows
from querygist.prompting.tokenizer import Tokenizer
from tests.conftest import REPOSITORY, Live, first_sentences_of_document, live_server

pytestmark = pytest.mark.slow

LOCUSTFILE = REPOSITORY / "loadtest" / "locustfile.py"

Reply = Callable[[Sequence[int]], Sequence[int]]
Serving = Callable[..., AbstractContextManager[Live]]

SLO = """
[in_time]
e2el = 30.0
[e2el]
p50 = 20.0
[at_most]
errors = 0.0
"""


@pytest.fixture
def slo(tmp_path: Path) -> Path:
    path = tmp_path / "slo.toml"
    path.write_text(SLO)
    return path


@pytest.fixture
def serving(identity: Identity, tokenizer: Tokenizer) -> Serving:
    """`with serving(pass_seconds, wrap=..., **settings) as live`: `wrap` changes what the fake engine replies."""

    @contextmanager
    def server(
        pass_seconds: float, wrap: Callable[[Reply], Reply] = lambda reply: reply, **settings: object
    ) -> Iterator[Live]:
        reply = wrap(first_sentences_of_document(tokenizer))
        with live_server(FakeEngine(identity, reply, pass_seconds=pass_seconds), tokenizer, **settings) as live:
            yield live

    return server


def run_locust(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary", *arguments,
         "--report", str(folder)],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=170, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_run_keeps_its_objectives_and_its_numbers_agree(serving: Serving, slo: Path, tmp_path: Path) -> None:
    with serving(0.02, max_in_flight=64) as live:
        done = run_locust(
            "--host", live.url, "--run-time", "5s", "--rate", "6", "--mix", "json=2,stream=3,page=1", "--seed", "3",
            "--slo", str(slo), "--json-file", str(tmp_path / "locust"), folder=tmp_path / "report",
        )  # fmt: skip
        metrics = httpx.get(f"{live.url}/metrics").text
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all kept" in done.stdout
    report = Report.load(tmp_path / "report" / JSON)
    assert (tmp_path / "report" / PNG).read_bytes().startswith(b"\x89PNG")
    assert "MISSED" not in (tmp_path / "report" / MARKDOWN).read_text()

    summary = report.summary
    served = [line.split() for line in metrics.splitlines() if line.startswith("querygist_requests_total{")]
    assert summary.asked == sum(float(value) for _, value in served), "what the server counted"
    assert set(report.kinds) == {"json", "stream", "page"}
    assert 0 < summary.shares.cache_hits < 1
    assert summary.shares.goodput == 1

    streams = report.kinds["stream"]
    assert streams.ttft is not None
    assert streams.e2el is not None
    assert streams.itl is not None
    assert streams.ttft.mean < streams.e2el.mean, "streams are read as they come, though the checker holds some back"
    assert streams.itl.mean > 0

    table = {(row["method"], row["name"]): row for row in json.loads((tmp_path / "locust.json").read_text())}
    pages = report.kinds["page"].asked // PAGE
    assert table["POST", "/summarize/batch"]["num_requests"] == pages
    assert table["RESULT", "/summarize/batch"]["num_requests"] == pages * PAGE
    assert table["POST", "/summarize"]["num_requests"] == report.kinds["json"].asked
    for kind, there in (("SSE", streams.e2el), ("TTFT", streams.ttft), ("ITL", streams.itl)):
        row = table[kind, "/summarize"]
        assert row["total_response_time"] / row["num_requests"] / 1000 == pytest.approx(there.mean, rel=0.01), kind


def test_a_server_that_stalls_is_asked_all_the_same(serving: Serving, slo: Path, tmp_path: Path) -> None:
    """No coordinated omission: each of the requests that came during the stall waited, and each counts."""
    stall, rate, calls = 2.0, 20, count(1)

    def stalling(reply: Reply) -> Reply:
        def once(ids: Sequence[int]) -> Sequence[int]:
            if next(calls) == rate:
                time.sleep(stall)  # on the server's event loop: it answers nobody
            return reply(ids)

        return once

    slo.write_text(SLO + "[at_least]\ngoodput = 1.0\n" + f"[ttft]\np50 = {stall}\n")
    with serving(0.0, stalling, max_in_flight=256) as live:
        done = run_locust(
            "--host", live.url, "--run-time", "6s", "--rate", str(rate), "--mix", "json", "--distinct",
            "--slo", str(slo), folder=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    summary = Report.load(tmp_path / JSON).summary
    intended = sum(1 for _ in takewhile(lambda moment: moment < summary.seconds, poisson(constant(rate), 0)))
    assert abs(summary.asked - intended) <= 1
    assert summary.e2el is not None
    # A user who waits for an answer would have met the stall once: one slow request in a hundred.
    assert summary.e2el.p95 > stall / 2
    assert summary.e2el.mean > stall**2 * rate / 2 / summary.asked / 2, "waiting is shorter the later they came"
    assert summary.send_lag.p99 < stall / 4, "the sender did not wait"


def test_a_missed_objective_is_the_exit_code(serving: Serving, slo: Path, tmp_path: Path) -> None:
    slo.write_text(SLO.replace("p50 = 20.0", "p50 = 0.000001"))
    trace = tmp_path / "trace.txt"
    trace.write_text("0.1\n0.2\n0.3\n")
    with serving(0.0) as live:
        done = run_locust("--host", live.url, "--trace", str(trace), "--slo", str(slo), folder=tmp_path)
    assert done.returncode == 1
    assert "MISSED: e2el p50 <= 1e-06, measured" in done.stdout
    told = json.loads((tmp_path / JSON).read_text())
    assert told["summary"]["asked"] == 3
    assert [one["kept"] for one in told["verdicts"]] == [False, True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--rate", "0"], "send nothing"), (["--processes", "2", "--rate", "1"], "One process keeps the schedule")],
    ids=["no rate", "workers"],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run_locust("--host", "http://127.0.0.1:9", "--run-time", "1s", *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_curve_goes_past_saturation(
    serving: Serving, slo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curve, "SHARES", (0.5, 1.5))
    slo.write_text("[in_time]\ne2el = 2.0\n")
    study = curve.Study(slo, BUILT_IN, seconds=2, warm_up=1, seed=5, work=tmp_path)
    quiet = Console(quiet=True)
    with serving(0.03, max_in_flight=4, max_waiting=4) as live:
        found = await study.run(live.url, "fake", quiet)
        again = await study.run("http://127.0.0.1:9", "fake", quiet)  # nobody is there: nothing is measured twice
    assert again == found
    for one in found.curves:
        assert [point.asked > 0 for point in one.points] == [True] * 3
        assert one.points[0].shares.goodput > 0.9
        assert one.points[-1].shares.goodput < 0.9
        assert one.points[-1].shares.fallbacks > 0.1
        assert one.points[-1].offered > 1.4 * one.saturation
        assert one.kept > 0.5


async def e2el_of(url: str, moments: Sequence[float]) -> list[float]:
    """Seconds of built-in rows, each query with a number, sent at these moments by the service's own client (httpx)."""
    data = rows()
    limits = httpx.Limits(max_connections=None)
    async with Client(url, deadline=60.0, retries=0, transport=httpx.AsyncHTTPTransport(limits=limits)) as client:

        async def send(number: int, _: float, since: Since) -> float:
            row = data[number % len(data)]
            answer = await client.summarize(f"{row['query']} {number}", row["document"], max_words=MAX_WORDS)
            assert answer.reason in (None, "checker"), "the engine was asked"
            assert not answer.cached
            return since()

        return await open_loop(moments, send, time.monotonic(), Console(quiet=True))


async def test_locust_and_an_asyncio_client_agree(serving: Serving, tmp_path: Path) -> None:
    """E2EL of the same requests at the same moments, by clients that share no scheduler."""
    rate, seconds = 5.0, 6
    asked = ["--run-time", f"{seconds}s", "--rate", str(rate), "--mix", "json", "--distinct"]
    with serving(0.03, max_in_flight=64) as live:  # no queue: it would make the busy machine the larger part
        done = await asyncio.to_thread(run_locust, "--host", live.url, *asked, folder=tmp_path)
        moments = list(poisson(constant(rate, seconds), 0))
        seconds_each = await e2el_of(live.url, moments)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = Report.load(tmp_path / JSON).summary
    assert summary.asked == len(moments)
    assert summary.e2el is not None
    other = Distribution.of(seconds_each)
    assert summary.e2el.mean == pytest.approx(other.mean, rel=0.35)
    assert summary.e2el.p50 == pytest.approx(other.p50, rel=0.35)
