"""Processes to measure: a gateway, and a Triton server with the scripted model."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import httpx

from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.settings import Settings
from querygist.triton_server import repository
from querygist.triton_server.installation import Installation
from querygist.triton_server.ports import claim
from querygist.triton_server.server_process import HOST, Ports, ServerOptions, running

READY_SECONDS = 300.0

SCRIPTED_MODEL = Path(__file__).parent / "scripted_model" / "1"


@asynccontextmanager
async def gateway(
    *, with_triton: bool = False, **settings: str
) -> AsyncGenerator[tuple[str, subprocess.Popen[bytes], float], None]:
    """A gateway on a free port: its address, its process, and seconds from start to ready.

    `with_triton`: a Triton server behind it, both started by `querygist triton`.
    """
    command = ["triton", "--grpc-port", "0", "--metrics-port", "0"] if with_triton else ["serve"]
    environment = os.environ | {f"QUERYGIST_{name}": value for name, value in settings.items()}
    with tempfile.TemporaryFile() as log:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "querygist", *command, "--port", "0"],
            env=environment | {"QUERYGIST_LOG_FORMAT": "json"},
            stderr=log,
        )
        try:
            async with asyncio.timeout(READY_SECONDS):
                url = await _address(process, log.fileno())
                async with httpx.AsyncClient(base_url=url, timeout=10) as client:
                    while (await client.get("/readyz")).status_code != 200:
                        await asyncio.sleep(0.05)
            yield url, process, time.monotonic() - began
        finally:
            process.terminate()
            process.wait()


async def _address(process: subprocess.Popen[bytes], log: int) -> str:
    while True:
        text = os.pread(log, 1 << 20, 0).decode()
        if found := re.search(r'"url": "([^"]+)"', text):
            return found[1]
        if process.poll() is not None:
            raise ConfigurationError(f"The gateway did not start:\n{text}")
        await asyncio.sleep(0.02)


@asynccontextmanager
async def scripted_triton(settings: Settings, identity: Identity, **script: object) -> AsyncGenerator[str, None]:
    """A Triton server whose model answers by `script` (see loadtest.scripted_model.source.Script): its gRPC address.

    It says it is the model of `identity`. Raises ConfigurationError when no Triton server is installed.
    """
    installation = Installation.find(settings.triton_venv)
    grpc, metrics = claim([(HOST, 0), (HOST, 0)])
    with tempfile.TemporaryDirectory(prefix="querygist-scripted-") as folder:
        run = Path(folder)
        script_file = run / "script.json"
        script_file.write_text(json.dumps(script))
        parameters = {"querygist_identity": json.dumps(asdict(identity)), "script": str(script_file)}
        model = repository.render(repository.CPU_MODEL, run / "models", parameters)
        shutil.copytree(SCRIPTED_MODEL, model / "1", dirs_exist_ok=True)
        server = ServerOptions(
            binary=installation.binary,
            environment=installation.environment(),
            backends=installation.backend_directory(run / "backends"),
            repository=model.parent,
            ports=Ports(grpc=grpc, metrics=metrics),
        )
        async with running(server):
            yield f"{HOST}:{grpc}"
