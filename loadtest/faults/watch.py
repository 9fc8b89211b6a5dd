"""A server watched from outside, by a process that nothing else holds up: `python -m loadtest.faults.watch URL PID`.

It asks /livez again and again on one connection until its standard input ends, and prints what it saw.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field

import httpx
import psutil

LIVEZ_SECONDS = 0.02


@dataclass(slots=True)
class Watch:
    """Seconds that /livez took each time, how often it failed; the memory of the process at first and at most, MB."""

    livez: list[float] = field(default_factory=list)
    failed: int = 0
    began_with: float = 0.0
    megabytes: float = 0.0

    @property
    def slowest(self) -> float:
        """Milliseconds that the event loop was not there for /livez, at most."""
        return round(1000 * max(self.livez, default=0.0))

    @property
    def p99(self) -> float:
        """Milliseconds that 99 of 100 took at most."""
        return round(1000 * sorted(self.livez)[int(0.99 * len(self.livez))]) if self.livez else 0.0

    @property
    def grown(self) -> int:
        """Megabytes that the process grew by, at most."""
        return round(self.megabytes - self.began_with)


@contextlib.contextmanager
def watched(url: str, pid: int) -> Generator[Watch, None, None]:
    """Watch a server while the block runs; what was seen is there after it."""
    watch = Watch()
    command = [sys.executable, "-m", "loadtest.faults.watch", url, str(pid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout:
            process.stdout.readline()  # it has begun
        yield watch
        seen, _ = process.communicate()
    for name, value in json.loads(seen).items():
        setattr(watch, name, value)


def main(url: str, pid: int) -> None:
    """Watch until the standard input ends."""
    over, process, watch = threading.Event(), psutil.Process(pid), Watch()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    watch.began_with = watch.megabytes = process.memory_info().rss / 1e6
    with httpx.Client(base_url=url, timeout=30) as client:
        print("begun", flush=True)
        while not over.wait(LIVEZ_SECONDS):
            began = time.monotonic()
            try:
                client.get("/livez").raise_for_status()
                watch.livez.append(time.monotonic() - began)
            except httpx.HTTPError:
                watch.failed += 1
            with contextlib.suppress(psutil.Error):
                watch.megabytes = max(watch.megabytes, process.memory_info().rss / 1e6)
    print(json.dumps(asdict(watch)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
