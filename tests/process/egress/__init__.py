"""Two witnesses of what a process and its children ask for outside of this machine.

An audit hook in every Python process sees names before they are resolved; strace, where it is installed and may trace,
sees the connections of all programs and of libraries that are not Python.
"""

import ipaddress
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ADDRESS = re.compile(r'(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')


@dataclass(frozen=True)
class Watch:
    """One log for each witness, in a folder."""

    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """This process's, without what silences some libraries, and with the audit hook."""
        path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
        own = {name: value for name, value in os.environ.items() if name != "CI"}
        return own | {"PYTHONPATH": path, "EGRESS_LOG": str(self._asked)}

    @property
    def prefix(self) -> Sequence[str]:
        """What to put before a command; the process is still the command's own."""
        if not _strace_works():
            return ()
        calls = "trace=connect,sendto,sendmsg,sendmmsg"
        return ("strace", "--daemonize", "--follow-forks", "--seccomp-bpf", "-qq", "--signal=none", "-e", calls,
                "--output", str(self._connected))  # fmt: skip

    def attempts(self) -> list[str]:
        """What they saw, once everything watched has ended."""
        time.sleep(0.2 if self._connected.exists() else 0)  # strace ends after what it traces
        found = self._asked.read_text().splitlines() if self._asked.exists() else []
        calls = self._connected.read_text().splitlines() if self._connected.exists() else []
        return found + [call for call in calls if any(map(_is_elsewhere, _ADDRESS.findall(call)))]

    @property
    def _asked(self) -> Path:
        return self.folder / "asked.log"

    @property
    def _connected(self) -> Path:
        return self.folder / "connected.log"


def _is_elsewhere(address: str) -> bool:
    parsed = ipaddress.ip_address(address.removeprefix("::ffff:"))  # gRPC writes 127.0.0.1 so
    return not (parsed.is_loopback or parsed.is_unspecified)


@cache
def _strace_works() -> bool:
    strace = shutil.which("strace")
    command = [strace or "", "--seccomp-bpf", "-f", "-qq", "-o", os.devnull, "true"]
    return strace is not None and subprocess.run(command, check=False, capture_output=True).returncode == 0
