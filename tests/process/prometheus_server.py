"""A real Prometheus, with the committed configuration and rules."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from querygist.triton_server.ports import claim
from tests.conftest import REPOSITORY, missing

FOLDER = REPOSITORY / "deploy" / "prometheus"

SCRAPE_SECONDS = 2
SOON = 120
"""Seconds in which anything expected here happens, however busy the machine: a bound against hangs."""


@dataclass(frozen=True)
class Prometheus:
    """Its HTTP API at `url`, as far as the tests need it."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        return httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30).raise_for_status().json()["data"]

    def values(self, query: str) -> list[float]:
        """What `query` gives now, without NaN."""
        values = [one["value"][1] for one in self.get("query", query=query)["result"]]
        return [float(value) for value in values if value != "NaN"]


def program(name: str) -> str:
    """Where `prometheus` or `promtool` is."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not installed (Debian: apt install prometheus)")
    return str(found)


@contextlib.contextmanager
def scraping(folder: Path, targets: dict[str, list[str]]) -> Iterator[Prometheus]:
    """A server that scrapes `targets`: addresses by job. Each has answered once when the block begins."""
    [port] = claim([("127.0.0.1", 0)])
    url = f"http://127.0.0.1:{port}"
    log = folder / "prometheus.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={_configuration(folder, targets)}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=stderr,
            stderr=stderr,
        )
    try:
        until(lambda: _ready(url), process, log)
        server = Prometheus(url)
        count = sum(len(some) for some in targets.values())
        until(lambda: [one["health"] for one in server.get("targets")["activeTargets"]] == ["up"] * count, process, log)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def until(
    condition: Callable[[], bool], process: "subprocess.Popen[bytes] | None" = None, log: Path | None = None
) -> None:
    """Ask again and again: Prometheus tells nobody by itself."""
    late = time.monotonic() + SOON
    while not condition():
        told = log.read_text() if log else ""
        assert process is None or process.poll() is None, told
        assert time.monotonic() < late, told
        time.sleep(0.1)


def _ready(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/-/ready").status_code == 200
    return False


def _configuration(folder: Path, targets: dict[str, list[str]]) -> Path:
    """The committed one, faster, and without looking names up."""
    configuration = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    often = f"{SCRAPE_SECONDS}s"
    configuration["global"] = {"scrape_interval": often, "scrape_timeout": often, "evaluation_interval": often}
    for job in configuration["scrape_configs"]:
        del job["dns_sd_configs"]
    shutil.copytree(FOLDER / "rules", folder / "rules")
    (folder / "targets").mkdir()
    for job, addresses in targets.items():
        (folder / "targets" / f"{job}.yml").write_text(yaml.safe_dump([{"targets": addresses}]))
    written = folder / "prometheus.yml"
    written.write_text(yaml.safe_dump(configuration))
    return written
