"""Recording an open-loop run, and simulating it again."""

import json
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from loadtest.__main__ import app
from loadtest.capacity.cpu_costs import CpuCosts, Point
from loadtest.capacity.record_trace import Trace, record
from loadtest.capacity.replay_trace import compare, write
from loadtest.capacity.simulator import Batching, Request, simulate
from loadtest.load.results import Result
from querygist import json_files
from querygist.errors import ConfigurationError
from querygist.sizing.roofline import Work
from querygist.sizing.workload import constant

QUIET = Console(quiet=True)
ROWS = [{"query": "who", "document": "Somebody did."}, {"query": "what", "document": "Something else."}]
PROMPT, OUTPUT, PASSES, DRAFTED = 120, 30, 11, 40


class Gateway(httpx.MockTransport):
    """Answers as the service does; every `failing`-th request is refused."""

    def __init__(self, *, failing: int = 0, cached: bool = False) -> None:
        super().__init__(self._handle)
        self.bodies: list[dict[str, object]] = []
        self._failing = failing
        self._cached = cached
        self._answered = 0

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/metrics":
            counts = {"generation_tokens": OUTPUT + 1, "forward_passes": PASSES, "candidate_tokens_drafted": DRAFTED}
            lines = [f"querygist_{name}_total {7.0 + self._answered * count}" for name, count in counts.items()]
            return httpx.Response(200, text="\n".join(lines))
        self.bodies.append(json.loads(request.content))
        if self._failing and len(self.bodies) % self._failing == 0:
            return httpx.Response(503)
        self._answered += 1
        answer = {
            "id": "1", "summary": "s", "answerable": True, "method": "generative", "cached": self._cached,
            "citations": [], "sources": [], "copied": 1.0, "text": None, "model": {"name": "m", "version": "1"},
            "usage": {"prompt_tokens": PROMPT, "completion_tokens": OUTPUT, "truncated": False},
            "timings_ms": {"queue": 5.0, "first_token": 40.0, "total": 90.0},
        }  # fmt: skip
        return httpx.Response(200, json=answer)


async def recorded(gateway: httpx.MockTransport, count: int) -> Trace:
    moments = [number / 2000 for number in range(1, count + 1)]
    return await record("http://gateway", ROWS, moments, rate=2000, seed=1, console=QUIET, transport=gateway)


async def test_a_run_keeps_lengths_times_and_means() -> None:
    gateway = Gateway()
    run = await recorded(gateway, 20)
    assert (len(run.requests), run.failed, run.rate) == (20, 0, 2000)
    assert run.tokens_per_pass == pytest.approx(OUTPUT / (PASSES - 1))
    assert run.drafted_per_pass == pytest.approx(DRAFTED / (PASSES - 1))
    arrivals = [one.arrival for one in run.requests]
    assert arrivals == sorted(set(arrivals))
    for one in run.requests:
        assert (one.prompt_tokens, one.output_tokens) == (PROMPT, OUTPUT + 1)
        assert one.e2el >= one.send_lag >= 0


async def test_no_two_queries_are_the_same() -> None:
    gateway = Gateway()
    await recorded(gateway, 7)
    assert len({body["query"] for body in gateway.bodies}) == 7
    assert {body["fallback"] for body in gateway.bodies} == {"none"}


async def test_failures_are_counted_and_left_out() -> None:
    gateway = Gateway(failing=4)
    run = await recorded(gateway, 20)
    assert (len(run.requests), run.failed) == (15, 5)


@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        (Gateway(failing=1), "None of 3 requests"),
        (Gateway(cached=True), "QUERYGIST_CACHE_MB=0"),
        (httpx.MockTransport(lambda request: httpx.Response(404)), "/metrics is not a gateway's"),
        (httpx.MockTransport(lambda request: httpx.Response(200, text="other 1")), "/metrics is not a gateway's"),
    ],
    ids=["refusing", "caching", "no gateway", "other server"],
)
async def test_a_run_that_means_nothing_is_refused(gateway: httpx.MockTransport, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        await recorded(gateway, 3)


COSTS = CpuCosts(
    machine={"processor": "scripted"},
    model={"name": "scripted"},
    prompt=(Point(1, 0, 1, 0.011, 3), Point(512, 0, 1, 0.522, 3)),
    decode=tuple(
        Point(tokens * sequences, 300, sequences, 0.02 + 0.001 * tokens * sequences, 3)
        for tokens in (1, 8)
        for sequences in (1, 8)
    ),
)
BATCHING = Batching(max_batch=4, max_tokens=256, split_prompts=True)


def simulated(costs: CpuCosts, send_lag: float = 0.0) -> Trace:
    """A run on an engine that behaves exactly as simulated."""
    arriving = [Request(0.2 * number + send_lag, 200 + 40 * (number % 5), 9 + number % 7) for number in range(40)]
    served = simulate(arriving, costs.seconds, BATCHING, constant("real", 3.0, 5), seed=0)
    requests = tuple(
        Result(
            arrival=one.request.arrival - send_lag, send_lag=send_lag, e2el=one.e2el + send_lag,
            prompt_tokens=one.request.prompt_tokens, output_tokens=one.request.output_tokens,
        )
        for one in served
    )  # fmt: skip
    return Trace("http://gateway", 5.0, 0, 0, tokens_per_pass=3.0, drafted_per_pass=4.2, requests=requests)


@pytest.mark.parametrize("send_lag", [0.0, 0.03])
def test_an_engine_that_is_as_simulated_is_found_so(send_lag: float) -> None:
    found = compare("run", simulated(COSTS, send_lag), COSTS, BATCHING, seed=7)
    assert found.simulated == pytest.approx(found.measured)
    assert found.error == pytest.approx(0, abs=1e-9)
    assert found.correlation == pytest.approx(1)


def test_an_engine_that_is_slower_than_its_costs_is_found_so() -> None:
    class Slow(CpuCosts):
        def seconds(self, sequences: Sequence[Work]) -> float:
            return 2 * super().seconds(sequences)

    slow = Slow(COSTS.machine, COSTS.model, COSTS.prompt, COSTS.decode)
    found = compare("run", simulated(slow), COSTS, BATCHING, seed=7)
    assert found.error < -0.5  # half the cost, and a shorter queue


def test_the_command_writes_the_comparison(tmp_path: Path) -> None:
    run, costs, out = tmp_path / "run.json", tmp_path / "costs.json", tmp_path / "results" / "validation"
    simulated(COSTS).save(run)
    json_files.save(costs, COSTS)
    assert Trace.load(run) == simulated(COSTS)
    options = ["--max-in-flight", "4", "--pass-tokens", "256", "--out", str(out)]
    result = CliRunner().invoke(app, ["validate", "--run", str(run), "--costs", str(costs), *options])
    assert result.exit_code == 0, result.output
    told = json.loads(out.with_suffix(".json").read_text())
    assert told["runs"][0]["error"] == pytest.approx(0, abs=1e-9)
    assert "| run | 5 | 40 | 0 | 3.00 |" in out.with_suffix(".md").read_text()
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"run\.json: No such file.*loadtest record"):
        Trace.load(tmp_path / "run.json")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="is not a trace"):
        Trace.load(tmp_path / "run.json")


def test_several_runs_stand_in_one_report(tmp_path: Path) -> None:
    runs = [compare(name, simulated(COSTS), COSTS, BATCHING, seed=1) for name in ("slow.json", "fast.json")]
    write(runs, COSTS, tmp_path / "both")
    text = (tmp_path / "both.md").read_text()
    assert all(f"| {one.name} |" in text for one in runs)
