"""The machine that engines are built with and for: the container's versions, and the GPU an engine is bound to."""

import json
from dataclasses import dataclass

from querygist.errors import ConfigurationError
from querygist.trtllm.container import CommandFailed, Container

TENSORRT_LLM = "1.2.1"

VERSIONS = """
import json, tensorrt, tensorrt_llm, torch
modules = {"tensorrt_llm": tensorrt_llm, "tensorrt": tensorrt}
versions = {name: module.__version__ for name, module in modules.items()}
print(json.dumps(versions | {"cuda": torch.version.cuda}))
"""

GPU = (
    "nvidia-smi",
    "--id=0",
    "--query-gpu=name,compute_cap,driver_version,memory.total",
    "--format=csv,noheader,nounits",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """`compute_capability` is (major, minor), NVIDIA's SM version; `memory` in MiB."""

    tensorrt_llm: str
    tensorrt: str
    cuda: str
    driver: str
    gpu: str
    compute_capability: tuple[int, int]
    memory: int

    @classmethod
    def ask(cls, container: Container) -> "Machine":
        """Ask the container. Raises CommandFailed, and ConfigurationError for another TensorRT-LLM than the pinned."""
        gpu = container.last_line(GPU)
        versions = container.last_line(("python3", "-c", VERSIONS))
        try:
            name, capability, driver, memory = (field.strip() for field in gpu.split(","))
            major, minor = map(int, capability.split("."))
            parsed = json.loads(versions)
            machine = cls(
                tensorrt_llm=str(parsed["tensorrt_llm"]),
                tensorrt=str(parsed["tensorrt"]),
                cuda=str(parsed["cuda"]),
                driver=driver,
                gpu=name,
                compute_capability=(major, minor),
                memory=int(memory),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CommandFailed(f"nvidia-smi said {gpu!r} and python3 {versions!r}: not what was asked for.") from error
        if machine.tensorrt_llm != TENSORRT_LLM:
            raise ConfigurationError(
                f"The container has TensorRT-LLM {machine.tensorrt_llm}, and {TENSORRT_LLM} is needed: flags, tensors "
                "and lookahead decoding are those of that release. Use the pinned image."
            )
        return machine
