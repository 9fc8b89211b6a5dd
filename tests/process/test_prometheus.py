"""A real Prometheus scrapes real gateways and a real Triton under load: every panel and every rule finds what it reads.

pytest tests/process/test_prometheus.py
"""

import asyncio
import contextlib
import subprocess
import threading
import time
from collections.abc import Generator, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from deploy.grafana.picture import DASHBOARDS, PrometheusError, load, panels_of, query_panels
from querygist.engines.base import Identity
from querygist.engines.fake import FakeEngine
from querygist.prompting.tokenizer import Tokenizer
from tests.api.test_contract import BODY
from tests.conftest import REPOSITORY, Live, first_sentences_of_document, live_server
from tests.process.prometheus_server import FOLDER, Prometheus, program, scraping, until
from tests.promql import WINDOW, Expression, expressions_of_panels, expressions_of_rules
from tests.triton_servers import TritonServer

pytestmark = pytest.mark.slow

RECORDED = (REPOSITORY / "tests/data/tensorrt_llm_metrics.txt").read_bytes()

RULES_TESTS = list((FOLDER / "rules_test").glob("*.yml"))

SELECTORS = sorted({(selector, one.where) for one in expressions_of_rules() for selector in one.selectors()})

LONG = {"X-Deadline-Ms": "60000"}


@contextlib.contextmanager
def exposition(page: bytes) -> Iterator[str]:
    """The address of a server whose /metrics is this page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def monitored(
    identity: Identity,
    tokenizer: Tokenizer,
    triton_server: Live,
    triton_model_server: TritonServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Prometheus, None, None]:
    """Three gateways: one that is well, one whose engine never moves, one before a real Triton. And all that happens to
    them has been scraped, and the rules evaluated on it."""
    reply = first_sentences_of_document(tokenizer)
    stuck_engine = FakeEngine(identity, reply, gate=asyncio.Semaphore(0))
    with (
        live_server(FakeEngine(identity, reply), tokenizer) as well,
        live_server(stuck_engine, tokenizer, max_in_flight=1, max_waiting=1) as stuck,
        exposition(RECORDED) as tensorrt_llm,
    ):
        gateways = [well, stuck, triton_server]
        jobs = {
            "gateway": [gateway.url.removeprefix("http://") for gateway in gateways],
            "triton": [f"127.0.0.1:{triton_model_server.metrics}", tensorrt_llm],
        }
        with scraping(tmp_path_factory.mktemp("prometheus"), jobs) as server:
            asyncio.run(_load(well, stuck, triton_server))
            counted = sum(_sum(gateway, "querygist_requests_total") for gateway in gateways)
            until(lambda: _newest(server, "sum(querygist_requests_total)") == counted)
            seen = time.time()
            until(lambda: all(moment > seen for moment in _evaluations(server)))
            yield server


async def _load(well: Live, stuck: Live, triton: Live) -> None:
    """A little of everything."""
    questions = [
        BODY | {"query": f"who discovered penicillin, question {number} of the monitoring"} for number in range(8)
    ]
    async with contextlib.AsyncExitStack() as life:
        clients = [
            await life.enter_async_context(httpx.AsyncClient(base_url=live.url, timeout=120, headers=LONG))
            for live in (well, stuck, triton)
        ]
        for client in clients:
            assert (await client.get("/readyz")).status_code == 200
        for client in (clients[0], clients[2]):
            for _ in range(2):  # the second time from memory
                answers = await asyncio.gather(*(client.post("/summarize", json=one) for one in questions[:4]))
                assert {answer.json()["method"] for answer in answers} == {"generative"}
        page = {"query": "penicillin", "documents": [{"id": str(n), "document": BODY["document"]} for n in range(3)]}
        assert len((await clients[0].post("/summarize/batch", json=page)).text.splitlines()) == 3
        assert "event: done" in (await clients[0].post("/summarize", json=questions[5] | {"stream": True})).text
        await _overload(clients[1], stuck, questions)


async def _overload(client: httpx.AsyncClient, stuck: Live, questions: list[dict[str, object]]) -> None:
    """One in the engine, asked for twice; one that waits; one that is refused; all leave. Then one with no time."""
    held = [asyncio.create_task(client.post("/summarize", json=questions[number])) for number in (0, 0, 1)]
    async with asyncio.timeout(60):
        while _sum(stuck, "querygist_num_requests_waiting") < 1 or _sum(stuck, "querygist_cache_hits_total") < 1:
            await asyncio.sleep(0.02)
    refused = await client.post("/summarize", json=questions[2])
    assert refused.json()["method"] == "extractive"
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    async with asyncio.timeout(60):
        while _sum(stuck, "querygist_cancellations_total") < 2:
            await asyncio.sleep(0.02)
    late = await client.post("/summarize", json=questions[3], headers={"X-Deadline-Ms": "300"})
    assert late.json()["method"] == "extractive"


def _sum(live: Live, name: str) -> float:
    """A metric's value, all labels together, as the gateway has it now."""
    samples = (sample for family in live.gateway.metrics.registry.collect() for sample in family.samples)
    return float(sum(sample.value for sample in samples if sample.name == name))


def _newest(server: Prometheus, query: str) -> float | None:
    found = server.values(query)
    return found[0] if found else None


def _evaluations(server: Prometheus) -> list[float]:
    """When each group of rules was evaluated last, seconds since the epoch."""
    return [datetime.fromisoformat(group["lastEvaluation"]).timestamp() for group in server.get("rules")["groups"]]


@pytest.mark.parametrize("one", expressions_of_panels(), ids=lambda one: one.where)
def test_every_query_of_every_panel_returns_samples(monitored: Prometheus, one: Expression) -> None:
    assert monitored.values(one.promql), f"{one.where} shows nothing: {one.promql}"


@pytest.mark.parametrize(("selector", "where"), SELECTORS)
def test_every_selector_of_every_rule_returns_samples(monitored: Prometheus, selector: str, where: str) -> None:
    assert monitored.values(selector), f"{where} reads nothing: {selector}"


def test_every_rule_is_evaluated(monitored: Prometheus) -> None:
    rules = [rule for group in monitored.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == len(expressions_of_rules())
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}


@pytest.mark.parametrize(
    "query",
    [
        'sum(querygist_fallbacks_total{reason="overload"})',
        'sum(querygist_fallbacks_total{reason="deadline"})',
        'sum(querygist_sheds_total{reason="overload"})',
        'sum(querygist_cache_hits_total{kind="finished"})',
        'sum(querygist_cache_hits_total{kind="in_flight"})',
        'sum(querygist_requests_total{outcome="cancelled"})',
        "sum(querygist_cancellations_total)",
        "querygist:goodput:ratio_rate5m",
        "min(querygist_triton_endpoint_up)",
        "min(up)",
    ],
)
def test_what_happened_is_seen(monitored: Prometheus, query: str) -> None:
    assert (_newest(monitored, query) or 0) > 0


def test_a_query_that_is_none_is_refused(monitored: Prometheus) -> None:
    panel = {"title": "", "type": "stat", "targets": [{"legendFormat": "", "expr": "sum("}]}
    with pytest.raises(PrometheusError, match="parse error"):
        query_panels({"panels": [panel]}, monitored.url, minutes=1, window=WINDOW)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_picture_is_drawn_from_the_panels_queries(monitored: Prometheus, name: str) -> None:
    dashboard = load(name)
    shown = query_panels(dashboard, monitored.url, minutes=2, window=WINDOW)
    empty = [panel["title"] for panel, series in zip(panels_of(dashboard), shown, strict=True) if not series]
    assert empty == []


@pytest.mark.parametrize(
    "words",
    [["check", "config", "prometheus.yml"], *(["test", "rules", str(path)] for path in sorted(RULES_TESTS))],
    ids=lambda words: words[-1].rpartition("/")[2],
)
def test_promtool(words: list[str]) -> None:
    done = subprocess.run([program("promtool"), *words], check=False, cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
