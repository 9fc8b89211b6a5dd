"""`querygist triton`: a real Triton, its supervisor and the gateway, in health, illness and death."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from querygist.triton_server.installation import Installation
from tests.conftest import REPOSITORY, until_ready
from tests.process.conftest import Gateway, alive
from tests.process.test_life import BODY, until_busy

pytestmark = pytest.mark.triton

PORTS = ["--port", "0", "--grpc-port", "0", "--metrics-port", "0"]
PROMPT = 25.0
"""A request to a Triton that dies is refused in far less than this, s; its own deadline is 60."""


class Launched(Gateway):
    """The launcher's process; log and client are its and the gateway's."""

    def triton_pid(self) -> int:
        return int(str(self.all("triton_ready")[-1]["pid"]))

    def stub_pid(self) -> int:
        (stub,) = children(self.triton_pid())
        return stub

    def gateway_pid(self) -> int:
        (gateway,) = set(children(self.process.pid)) - {self.triton_pid()}
        return gateway

    def all(self, name: str) -> list[dict[str, object]]:
        return [event for event in self.events() if event["event"] == name]

    def prefix(self) -> str:
        """What the names of all its shared memory begin with."""
        return f"querygist-{self.process.pid}-"


def children(pid: int) -> list[int]:
    found = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for some in found for child in some]


Launch = Callable[..., contextlib.AbstractAsyncContextManager[Launched]]


@pytest.fixture
def launch(tmp_path: Path, triton_installation: Installation) -> Launch:
    """`async with launch(SETTING=value) as launched`: ready when the block begins."""
    return partial(launching, tmp_path, triton_installation.venv)


@contextlib.asynccontextmanager
async def launching(tmp_path: Path, venv: Path, **settings: str) -> AsyncGenerator[Launched, None]:
    """The launcher leads a process group of its own, as under a shell."""
    log = tmp_path / "launcher.log"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = os.environ | {f"QUERYGIST_{name}": value for name, value in settings.items()}
    environment |= {"QUERYGIST_LOG_FORMAT": "json", "QUERYGIST_TRITON_VENV": str(venv), "TMPDIR": str(temporary)}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "querygist", "triton", *PORTS],
            env=environment, stderr=stderr, cwd=REPOSITORY, start_new_session=True,
        )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            while not (found := re.search(r'"url": "([^"]+)"', log.read_text())):
                assert process.poll() is None, log.read_text()
                await asyncio.sleep(0.02)
        await until_ready(found[1])
        async with httpx.AsyncClient(base_url=found[1], timeout=90, headers={"X-Deadline-Ms": "60000"}) as client:
            yield Launched(process, log, client)
    finally:
        for _ in range(2):  # the second one does not wait for anything
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, 20)
        process.kill()
        process.wait()


async def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def shared_memory(prefix: str) -> list[str]:
    return [path.name for path in Path("/dev/shm").glob(f"{prefix}*")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_all_once_requests_have_finished(
    launch: Launch, tmp_path: Path, number: signal.Signals
) -> None:
    async with launch() as launched:
        pids = [launched.triton_pid(), launched.stub_pid(), launched.gateway_pid()]
        assert shared_memory(launched.prefix())
        held = asyncio.create_task(launched.client.post("/summarize", json=BODY))
        await until_busy(launched.client)
        os.killpg(launched.process.pid, number)  # to the whole foreground group, as a terminal does
        answer = await held
        assert answer.json()["usage"]["completion_tokens"] > 0, answer.text
        assert await asyncio.to_thread(launched.process.wait, 30) == 0
        assert not any(alive(pid) for pid in pids)
        assert not shared_memory(launched.prefix())
        assert not list((tmp_path / "temporary").iterdir())
        assert [event["event"] for event in launched.events()][-1] == "triton_stopped"


@pytest.mark.parametrize("victim", ["stub", "server", "hung server"])
async def test_a_dead_triton_is_replaced_while_the_gateway_goes_on(launch: Launch, victim: str) -> None:
    async with launch(STALL_SECONDS="3" if victim == "hung server" else "30") as launched:
        client, first = launched.client, launched.triton_pid()
        pid = launched.stub_pid() if victim == "stub" else first
        held = asyncio.create_task(client.post("/summarize", json=BODY | {"fallback": "none"}))
        await until_busy(client)
        began = time.monotonic()
        os.kill(pid, signal.SIGSTOP if victim == "hung server" else signal.SIGKILL)
        lost = await held
        assert lost.status_code in {503, 504}, "the request it held is refused"
        assert lost.json()["type"].startswith("urn:querygist:problem:")
        assert time.monotonic() - began < PROMPT, "and does not hang"
        while len(launched.all("triton_ready")) < 2:
            assert (await client.get("/livez")).status_code == 200
            refused = await client.post("/summarize", json=BODY | {"fallback": "none", "query": f"{time.monotonic()}"})
            assert refused.status_code in {200, 503, 504}
            assert time.monotonic() - began < 90
            await asyncio.sleep(0.1)
        await until_ready(str(client.base_url))
        answer = (await client.post("/summarize", json=BODY | {"query": "how many whales were seen"})).json()
        assert answer["usage"]["completion_tokens"] > 0, launched.log.read_text()
        assert launched.triton_pid() != first
        assert not alive(first)
        assert len(shared_memory(launched.prefix())) == 1, "the dead server's shared memory is gone"
        (restarting,) = launched.all("triton_restarting")
        print(f"{victim}: {restarting['reason']}; outage {launched.all('triton_ready')[-1]['outage_seconds']} s")


async def test_nothing_outlives_a_killed_launcher(launch: Launch) -> None:
    async with launch() as launched:
        pids = [launched.triton_pid(), launched.stub_pid(), launched.gateway_pid()]
        launched.process.kill()
        await until(lambda: not any(alive(pid) for pid in pids), seconds=30)


async def test_triton_ends_with_its_gateway_and_the_exit_code_tells(launch: Launch) -> None:
    async with launch() as launched:
        triton = launched.triton_pid()
        os.kill(launched.gateway_pid(), signal.SIGKILL)
        assert await asyncio.to_thread(launched.process.wait, 30) == 128 + signal.SIGKILL
        assert not alive(triton)


async def test_a_second_signal_ends_everything_at_once(launch: Launch) -> None:
    async with launch(DRAIN_DELAY_SECONDS="60") as launched:
        pids = [launched.triton_pid(), launched.stub_pid(), launched.gateway_pid()]
        launched.process.terminate()
        async with asyncio.timeout(20):
            while (await launched.client.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.02)
        launched.process.terminate()
        assert await asyncio.to_thread(launched.process.wait, 5) == 1
        assert not any(alive(pid) for pid in pids)
        assert not shared_memory(launched.prefix())


@pytest.mark.parametrize("option", ["--port", "--grpc-port", "--metrics-port"])
def test_a_port_that_is_taken_is_told_before_anything_starts(triton_installation: Installation, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "querygist", "triton", *PORTS, option, str(port)],
            env=os.environ | {"QUERYGIST_TRITON_VENV": str(triton_installation.venv)},
            capture_output=True, text=True, cwd=REPOSITORY, timeout=60, check=False,
        )  # fmt: skip
    assert result.returncode == 1
    assert str(port) in result.stderr
    assert "in use" in result.stderr
    assert "Traceback" not in result.stderr
    assert "triton_starting" not in result.stderr


def test_without_a_triton_server_the_command_says_how_to_get_one(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "querygist", "triton"], capture_output=True, text=True, cwd=REPOSITORY, timeout=60,
        env=os.environ | {"QUERYGIST_TRITON_VENV": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "make triton" in result.stderr


async def test_two_tritons_serve_side_by_side_without_a_gateway(
    tmp_path: Path, triton_installation: Installation
) -> None:
    venv = str(triton_installation.venv)
    environment = os.environ | {"QUERYGIST_LOG_FORMAT": "json", "QUERYGIST_TRITON_VENV": venv}
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    processes = []
    for log in logs:
        with log.open("wb") as stderr:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "querygist", "triton", *PORTS, "--no-gateway"],
                    env=environment, stderr=stderr, cwd=REPOSITORY,
                )
            )  # fmt: skip
    try:
        await until(lambda: all('"triton_ready"' in log.read_text() for log in logs), seconds=120)
        assert not any("listening" in log.read_text() for log in logs)
    finally:
        for process in processes:
            process.terminate()
        codes = [await asyncio.to_thread(process.wait, 30) for process in processes]
    assert codes == [0, 0]
    for log in logs:
        assert json.loads(log.read_text().splitlines()[-1])["event"] == "triton_stopped"
