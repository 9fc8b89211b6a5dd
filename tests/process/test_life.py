"""Birth, illness and death of the real processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import REPOSITORY, WEIGHTS, until_ready
from tests.process.conftest import Start, alive

pytestmark = pytest.mark.embedded

DOCUMENT = " ".join(f"On day {n} the crew saw {n} whales." for n in range(1, 61))
BODY = {"query": "how many whales did the crew see", "document": DOCUMENT, "max_words": 120}


async def until_busy(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while "querygist_num_requests_running 1.0" not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.01)


async def test_a_killed_worker_comes_back_and_costs_only_what_it_held(start: Start) -> None:
    async with start() as gateway:
        client, worker = gateway.client, gateway.worker_pid()
        held = asyncio.create_task(client.post("/summarize", json=BODY))
        await until_busy(client)
        os.kill(worker, signal.SIGKILL)
        answer = (await held).json()
        assert answer["method"] == "extractive", "the request it held gets the extract"
        assert (await client.get("/livez")).status_code == 200
        refused = await client.post("/summarize", json=BODY | {"fallback": "none"})
        assert refused.status_code == 503
        assert refused.json()["type"] == "urn:querygist:problem:engine-unavailable"
        await until_ready(str(client.base_url))
        assert gateway.worker_pid() != worker
        assert (await client.post("/summarize", json=BODY)).json()["usage"]["completion_tokens"] > 0


async def test_a_hung_worker_is_replaced(start: Start) -> None:
    async with start(STALL_SECONDS="2") as gateway:
        client, worker = gateway.client, gateway.worker_pid()
        os.kill(worker, signal.SIGSTOP)
        answer = (await client.post("/summarize", json=BODY)).json()
        assert answer["method"] == "extractive"
        await gateway.event("engine_stalled")
        await until_ready(str(client.base_url))
        assert gateway.worker_pid() != worker


async def test_a_hung_worker_costs_no_deadline_once_seen(start: Start) -> None:
    """Nobody asks /readyz: the gateway sees it by itself, and that the worker is well again."""
    async with start() as gateway:
        client, worker = gateway.client, gateway.worker_pid()
        os.kill(worker, signal.SIGSTOP)
        try:
            first = await client.post("/summarize", json=BODY | {"fallback": "none"})
            assert first.json()["type"] == "urn:querygist:problem:engine-unavailable"
            assert first.elapsed.total_seconds() < 30, "of the 60 that it may wait"
            second = await client.post("/summarize", json=BODY)
            assert (second.json()["method"], second.json()["reason"]) == ("extractive", "engine")
            assert second.elapsed.total_seconds() < 3
        finally:
            os.kill(worker, signal.SIGCONT)
        await gateway.event("engine_recovered")
        assert (await client.post("/summarize", json=BODY)).json()["usage"]["completion_tokens"] > 0
        assert gateway.worker_pid() == worker


async def test_a_killed_reader_is_missed_and_comes_back(start: Start) -> None:
    quote = BODY | {"style": "quote", "fallback": "none"}
    other = quote | {"query": "how many whales were seen"}  # what was read is kept
    async with start() as gateway:
        await gateway.event("reader_loaded")
        assert (await gateway.client.post("/summarize", json=quote)).json()["score"] is not None
        reader = gateway.worker_pid("reader")
        os.kill(reader, signal.SIGKILL)
        await gateway.event("reader_died")
        by_words = (await gateway.client.post("/summarize", json=other)).json()
        assert (by_words["score"], by_words["reason"], by_words["answerable"]) == (None, "asked", True)
        async with asyncio.timeout(60):
            while gateway.worker_pid("reader") == reader:
                await asyncio.sleep(0.02)
        again = (await gateway.client.post("/summarize", json=other)).json()
        assert again["score"] is not None
        assert not again["cached"]


async def test_sigterm_finishes_what_began_and_leaves_nothing_running(start: Start) -> None:
    async with start() as gateway:
        worker = gateway.worker_pid()
        held = asyncio.create_task(gateway.client.post("/summarize", json=BODY))
        await until_busy(gateway.client)
        gateway.process.send_signal(signal.SIGTERM)
        assert (await held).json()["usage"]["completion_tokens"] > 0, "the engine wrote to the end"
        assert await asyncio.to_thread(gateway.process.wait, 20) == 0
        async with asyncio.timeout(10):
            while alive(worker):
                await asyncio.sleep(0.02)
        assert gateway.events()[-1]["event"] == "drained"


async def test_a_worker_does_not_outlive_a_killed_gateway(start: Start) -> None:
    async with start() as gateway:
        worker = gateway.worker_pid()
        gateway.process.kill()
        async with asyncio.timeout(10):
            while alive(worker):
                await asyncio.sleep(0.02)


async def test_the_service_is_live_but_not_ready_until_loaded(start: Start) -> None:
    async with start(ready=False) as gateway:
        assert (await gateway.client.get("/livez")).status_code == 200
        not_ready = await gateway.client.get("/readyz")
        assert not_ready.status_code == 503
        assert "loading" in not_ready.json()["detail"]
        assert (await gateway.client.post("/summarize", json=BODY)).json()["method"] == "extractive"
        await until_ready(str(gateway.client.base_url))


def run(*arguments: str, stdin: str | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {f"QUERYGIST_{name}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "querygist", *arguments],
        input=stdin, capture_output=True, text=True, env=environment, cwd=REPOSITORY, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.txt"
    path.write_text("Penicillin is an antibiotic. It was discovered by Alexander Fleming in 1928. It saved many lives.")
    return path


def test_the_command_line_summarizes_without_a_server(page: Path) -> None:
    query = "who discovered penicillin"
    from_file = run("summarize", "--query", query, str(page), "--json")
    assert from_file.returncode == 0, from_file.stderr
    answer = json.loads(from_file.stdout)
    assert answer["method"] == "generative"
    piped = run("summarize", "-q", query, "-", stdin=page.read_text())
    assert piped.stdout.strip() == answer["summary"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["summarize", "-q", "q", "/nowhere/page.txt"], "Cannot read /nowhere/page.txt"),
        (["summarize", "-q", " ", "{page}"], "query"),
        (["summarize", "-q", "q" * 2_001, "{page}"], "query"),
    ],
)
def test_the_command_line_tells_what_is_wrong(page: Path, arguments: list[str], message: str) -> None:
    result = run(*[argument.format(page=page) for argument in arguments])
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_bad_settings_are_named_with_their_values() -> None:
    result = run("check-config", PORT="99999", PRECISION="int4")
    assert result.returncode == 1
    assert "QUERYGIST_PORT" in result.stderr
    assert "99999" in result.stderr
    assert "QUERYGIST_PRECISION" in result.stderr


def test_a_model_that_does_not_match_its_manifest_is_not_served(tmp_path: Path) -> None:
    manifest = json.loads((WEIGHTS / "manifest.json").read_text())
    manifest["tokenizer"]["sha256"] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "tokenizer.json").write_bytes((WEIGHTS / "tokenizer.json").read_bytes())
    result = run("serve", "--port", "0", WEIGHTS_DIR=str(tmp_path))
    assert result.returncode == 1
    assert "tokenizer.json" in result.stderr
    assert "0" * 64 in result.stderr.replace("\n", "")


def test_check_config_model_info_and_openapi_print() -> None:
    config = run("check-config", MAX_IN_FLIGHT="3")
    assert config.returncode == 0
    assert "MAX_IN_FLIGHT" in config.stdout
    info = json.loads(run("model", "info").stdout)
    assert info["name"] == "querygist-smollm2-135m"
    document = json.loads(run("openapi").stdout)
    assert "/summarize" in document["paths"]
