"""What the steps share: the plan, the container, the model that is expected, the prompts, and what was built."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tritonclient.grpc.aio import InferenceServerClient

from deploy.gpu.plan import Plan
from deploy.gpu.serving import serving
from deploy.gpu.triton_client import Asker
from querygist.artifact.manifest import Manifest
from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.evaluation.rows import prompts, rows
from querygist.pipeline.summarizer import token_limit
from querygist.prompting.tokenizer import Tokenizer
from querygist.trtllm.checkpoint import Checkpoint
from querygist.trtllm.container import Container
from querygist.trtllm.machine import Machine

MAX_WORDS = 40
"""The summaries that querygist.evaluation.rows's prompts ask for."""

T = TypeVar("T")


@dataclass
class Workplace:
    """`work` keeps engines and logs. `machine`, `checkpoints` and `repositories` are filled by the first steps."""

    plan: Plan
    container: Container
    identity: Identity
    tokenizer: Tokenizer
    rows: list[dict[str, str]]
    prompts: list[list[int]]
    machine: Machine | None = None
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    repositories: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> "Workplace":
        """Read manifest, tokenizer and rows. Raises QuerygistError."""
        manifest = Manifest.load(plan.weights)
        identity = manifest.identity("int8")
        tokenizer = Tokenizer(plan.weights / manifest.tokenizer.file)
        try:
            found = rows(plan.rows)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"Cannot use the rows of {plan.rows}: {error}. Give JSONL with --rows.") from error
        if not found:
            raise ConfigurationError(f"{plan.rows} has no row. Give JSONL of query and document with --rows.")
        given = [plan.hf, *([plan.checkpoint] if plan.checkpoint else [])]
        for folder in given:  # docker would make an empty one
            if not folder.is_dir():
                raise ConfigurationError(f"There is no folder {folder}. `python -m training quantize` writes it.")
        plan.out.mkdir(parents=True, exist_ok=True)
        folders = [plan.out, *given]
        return cls(
            plan, Container(plan.image, folders), identity, tokenizer, found, prompts(found, tokenizer, identity)
        )

    @property
    def work(self) -> Path:
        """For everything but the report."""
        return self.plan.out / "work"

    @property
    def max_new_tokens(self) -> int:
        """What the gateway lets the model write for a summary of so many words."""
        return token_limit(MAX_WORDS, self.identity.output_limit)

    @contextmanager
    def served(self, engine: str, step: str) -> Iterator[str]:
        """The address of a server with this engine; its log is named by the step."""
        with serving(self.container, self.repositories[engine], self.work / "logs" / f"{step}-{engine}.log") as address:
            yield address

    def ask(self, engine: str, step: str, work: Callable[[Asker], Awaitable[T]]) -> T:
        """Serve this engine, and do `work` with it."""
        with self.served(engine, step) as address:

            async def connected() -> T:
                async with InferenceServerClient(address) as client:
                    return await work(Asker(client, end_id=self.identity.end_id, max_new_tokens=self.max_new_tokens))

            return asyncio.run(connected())
