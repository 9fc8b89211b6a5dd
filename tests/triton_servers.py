"""Real Triton servers for tests: the CPU model as users start it, and what /metrics says of it."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from querygist.triton_server.installation import Installation
from tests.process.egress import Watch

READY_SECONDS = 120


@dataclass
class TritonServer:
    """A server that runs: its ports on 127.0.0.1."""

    grpc: int
    metrics: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc}"

    async def samples(self) -> dict[str, float]:
        """The CPU model's own metrics by name, `querygist_batcher_` taken off; one that was never set is missing."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{self.metrics}/metrics")).text
        prefix = "querygist_batcher_"
        return {
            sample.name.removeprefix(prefix): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith(prefix)
        }


@contextlib.contextmanager
def cpu_model(installation: Installation, log: Path) -> Generator[TritonServer, None, None]:
    """`querygist triton --no-gateway`, with the real model; ready when the block begins."""
    watch = Watch(log.parent)
    command = [sys.executable, "-m", "querygist", "triton", "--no-gateway", "--grpc-port", "0", "--metrics-port", "0"]
    environment = {"QUERYGIST_LOG_FORMAT": "json", "QUERYGIST_TRITON_VENV": str(installation.venv)}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*watch.prefix, *command], env=dict(watch.environment) | environment,
            stderr=stderr, cwd=Path(__file__).parent.parent,
        )  # fmt: skip
    try:
        late = time.monotonic() + READY_SECONDS
        while '"triton_ready"' not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < late, log.read_text()
            time.sleep(0.05)
        events = map(json.loads, log.read_text().splitlines())
        ports = next(event for event in events if event["event"] == "triton_ports")
        yield TritonServer(ports["grpc"], ports["metrics"])
    finally:
        process.terminate()
        process.wait(60)
    assert watch.attempts() == [], "nothing leaves the machine"
