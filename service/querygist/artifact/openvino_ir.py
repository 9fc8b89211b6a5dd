"""GGUF -> OpenVINO's own format (IR), which loads in a third of the time: run as a process of its own.

OpenVINO GenAI has no call that only converts: it leaves the IR beside the GGUF when it loads one. Loading takes
memory for the whole model and prints, so a child process does it and takes both with it when it ends.
"""

import subprocess
import sys
from pathlib import Path

from querygist.errors import ArtifactError

FILES = ("openvino_model.xml", "openvino_model.bin")


def export(gguf: Path) -> None:
    """Write FILES beside `gguf`. Raises ArtifactError with OpenVINO's last words when it refuses the model."""
    done = subprocess.run(  # noqa: S603  our own interpreter, our own module
        [sys.executable, "-m", "querygist.artifact.openvino_ir", str(gguf)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or not all((gguf.parent / name).is_file() for name in FILES):
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ArtifactError(f"OpenVINO GenAI cannot convert {gguf}: {said}. Is the model a Llama, and is memory free?")


def main(gguf: str) -> None:
    """Load the GGUF once, and have its IR saved."""
    import openvino_genai  # noqa: PLC0415  only the child process pays for it

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = 1  # GB
    openvino_genai.ContinuousBatchingPipeline(gguf, scheduler, "CPU", {"enable_save_ov_model": True})


if __name__ == "__main__":
    main(sys.argv[1])
