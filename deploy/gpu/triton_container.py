"""Triton in the container, on this machine's loopback, for the length of a measurement."""

import contextlib
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from querygist.engines.triton.protocol import MODEL
from querygist.triton_server.ports import claim
from querygist.trtllm.container import CommandFailed, Container, last_lines

HOST = "127.0.0.1"
LOAD_SECONDS, STOP_SECONDS, POLL_SECONDS = 600.0, 60.0, 0.2


@contextlib.contextmanager
def serving(container: Container, repository: Path, log: Path) -> Iterator[str]:
    """Run `tritonserver` with this model repository; yield the gRPC address of a server whose model is loaded.

    Raises CommandFailed with the end of its log when it ends, or does not load the model.
    """
    port, metrics = claim([(HOST, 0), (HOST, 0)])
    name = f"querygist-{secrets.token_hex(4)}"
    words = [
        "tritonserver",
        f"--model-repository={repository.absolute()}",
        "--disable-auto-complete-config",
        "--allow-http=false",
        f"--grpc-address={HOST}",
        f"--grpc-port={port}",
        f"--metrics-address={HOST}",
        f"--metrics-port={metrics}",
    ]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603  the operator's own commands
            container.command(words, name=name), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_loaded(process, f"{HOST}:{port}", log)
            yield f"{HOST}:{port}"
        finally:
            _stop(process, name)


def _wait_until_loaded(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    given_up = time.monotonic() + LOAD_SECONDS
    with InferenceServerClient(address) as client:
        while True:
            with contextlib.suppress(InferenceServerException, grpc.RpcError):
                if client.is_model_ready(MODEL, client_timeout=1):
                    return
            if process.poll() is not None:
                raise CommandFailed(f"tritonserver ended with exit code {process.returncode}:\n{last_lines(log)}")
            if time.monotonic() > given_up:
                raise CommandFailed(f"tritonserver loaded no model in {LOAD_SECONDS:g} s:\n{last_lines(log)}")
            time.sleep(POLL_SECONDS)


def _stop(process: "subprocess.Popen[bytes]", name: str) -> None:
    """Stop the server. docker passes the signal on; a container that does not heed it is removed by its name."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)  # noqa: S603, S607
        process.kill()
        process.wait()
