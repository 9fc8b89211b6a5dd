"""Run TensorRT-LLM's commands: in the pinned container, or here when this is that container."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from querygist.errors import QuerygistError

IMAGE = "nvcr.io/nvidia/tritonserver:26.04-trtllm-python-py3"
"""Triton with TensorRT-LLM 1.2.1, the last stable release that builds engines and has lookahead decoding."""

_SHOWN = 12


class CommandFailed(QuerygistError):
    """A command of the container did not start, or ended with an error."""


@dataclass(frozen=True, slots=True)
class Container:
    """Runs commands on one GPU. Each of `folders` is the same path inside and outside. `image` None: run them here."""

    image: str | None
    folders: Sequence[Path]

    def command(self, words: Sequence[str], *, name: str | None = None) -> list[str]:
        """Return the command line that runs `words`; `name` is the container's.

        The network is the host's, so that a server's ports are; memory limits are those of NVIDIA's documentation of
        the image (`docker run --gpus all --net host --ulimit memlock=-1 --ulimit stack=67108864`).
        """
        if self.image is None:
            return list(words)
        mounts = [word for folder in self.folders for word in ("--volume", f"{folder.absolute()}:{folder.absolute()}")]
        return [
            *("docker", "run", "--rm", *(("--name", name) if name else ())),
            *("--gpus", "device=0", "--network", "host", "--ipc", "host"),
            *("--ulimit", "memlock=-1", "--ulimit", "stack=67108864"),
            *mounts,
            self.image,
            *words,
        ]

    def run(self, words: Sequence[str], log: Path) -> None:
        """Run a command to its end; what it prints goes to the file `log`. Raises CommandFailed with its last lines."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            code = _finish(self.command(words), words[0], stdout=file, stderr=subprocess.STDOUT).returncode
        if code:
            raise CommandFailed(f"{words[0]} failed with exit code {code}; its log is {log}:\n{last_lines(log)}")

    def last_line(self, words: Sequence[str]) -> str:
        """Run a short command and return its last line. (The image prints a banner first, tensorrt_llm its version.)

        Raises CommandFailed.
        """
        done = _finish(self.command(words), words[0], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = done.stdout.decode(errors="replace").split("\n")
        line = next((line for line in reversed(lines) if line.strip()), "")
        if done.returncode or not line:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-_SHOWN:]
            raise CommandFailed("\n".join([f"{words[0]} failed with exit code {done.returncode}:", *said]))
        return line.strip()


def last_lines(log: Path) -> str:
    """Return the end of a failed command's log, which a person looks at first."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN:])


def _finish(command: Sequence[str], name: str, *, stdout: object, stderr: int) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, check=False)  # type: ignore[call-overload,no-any-return]  # noqa: S603  the operator's own commands
    except OSError as error:
        raise CommandFailed(
            f"Cannot run {command[0]} for {name}: {error.strerror}. A GPU machine needs docker with NVIDIA's runtime; "
            "inside of the container, say that the commands are here."
        ) from error
