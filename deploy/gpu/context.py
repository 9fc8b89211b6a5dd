"""The context that the steps share: the plan, the container, the expected model, the prompts, and what was built."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tritonclient.grpc.aio import InferenceServerClient

from deploy.gpu.criteria import TARGET_RATE
from deploy.gpu.triton_client import TritonClient
from deploy.gpu.triton_container import serving
from querygist.artifact.manifest import Manifest
from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.evaluation.rows import prompts, rows
from querygist.pipeline.generation import token_limit
from querygist.prompting.tokenizer import Tokenizer
from querygist.trtllm.checkpoint import Checkpoint
from querygist.trtllm.container import IMAGE, Container
from querygist.trtllm.machine import Machine

MAX_WORDS = 40
"""The summaries that querygist.evaluation.rows's prompts ask for."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """One acceptance. `checkpoint` None: quantize `hf` on the GPU. Rates in requests a second; `seconds` at each."""

    hf: Path
    out: Path
    rows: Path
    weights: Path
    checkpoint: Path | None = None
    batches: tuple[int, ...] = (1, 8, 32)
    rates: tuple[float, ...] = (50.0, 100.0, TARGET_RATE, 200.0)
    seconds: float = 60.0
    warm_up_seconds: float = 5.0


@dataclass
class AcceptanceContext:
    """`machine`, `checkpoints`, `repositories` (model repositories by engine) and `latency` are set by the steps."""

    plan: Plan
    container: Container
    identity: Identity
    tokenizer: Tokenizer
    rows: list[dict[str, str]]
    prompts: list[list[int]]
    machine: Machine = field(init=False)
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    repositories: dict[str, Path] = field(default_factory=dict)
    latency: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, plan: Plan) -> "AcceptanceContext":
        """Read manifest, tokenizer and rows. Raises QuerygistError."""
        manifest = Manifest.load(plan.weights)
        identity = manifest.identity("int8")
        tokenizer = Tokenizer(plan.weights / manifest.tokenizer.file)
        read = rows(plan.rows)
        if not read:
            raise ConfigurationError(f"{plan.rows} has no row. Give JSONL of query and document with --rows.")
        given = [folder for folder in (plan.hf, plan.checkpoint) if folder]
        for folder in given:  # docker would make an empty one
            if not folder.is_dir():
                raise ConfigurationError(f"There is no folder {folder}. `python -m training quantize` writes it.")
        return cls(
            plan, Container(IMAGE, [plan.out, *given]), identity, tokenizer, read, prompts(read, tokenizer, identity)
        )

    @property
    def work(self) -> Path:
        """Folder of engines and logs: everything but the report."""
        return self.plan.out / "work"

    @property
    def max_new_tokens(self) -> int:
        """Most tokens that the gateway lets the model write for a summary of MAX_WORDS."""
        return token_limit(MAX_WORDS, self.identity.output_limit)

    @contextmanager
    def served(self, engine: str, step: str) -> Iterator[str]:
        """Serve this engine in the container; its gRPC address. The log is named by the step."""
        with serving(self.container, self.repositories[engine], self.work / "logs" / f"{step}-{engine}.log") as address:
            yield address

    def with_client(self, engine: str, step: str, work: Callable[[TritonClient], Awaitable[T]]) -> T:
        """Serve this engine, and return what `work` makes of it."""
        with self.served(engine, step) as address:

            async def connected() -> T:
                async with InferenceServerClient(address) as client:
                    return await work(
                        TritonClient(client, end_id=self.identity.end_id, max_new_tokens=self.max_new_tokens)
                    )

            return asyncio.run(connected())
