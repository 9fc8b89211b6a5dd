"""OpenVINO's own format (IR), which loads in a third of a GGUF's time; converters run as processes of their own.

OpenVINO GenAI has no call that only converts: it leaves the IR beside the GGUF when it loads one. Loading takes
memory for the whole model and prints, so a child process does it and takes both with it when it ends.
"""

import subprocess
import sys
from pathlib import Path

from querygist.errors import ArtifactError

FILES = ("openvino_model.xml", "openvino_model.bin")


def convert(module: str, source: str, into: str, *arguments: str) -> None:
    """Run a converter, `python -m module source into ...`. Raises ArtifactError with its last words if it fails."""
    done = subprocess.run(  # noqa: S603  our own interpreter, our own module
        [sys.executable, "-m", module, source, into, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or not all((Path(into) / name).is_file() for name in FILES):
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ArtifactError(
            f"{source} cannot be converted to OpenVINO's format: {said} Is the architecture supported, and memory free?"
        )


def export(gguf: Path) -> None:
    """Write FILES beside `gguf`. Raises ArtifactError when OpenVINO refuses the model."""
    convert(__name__, str(gguf), str(gguf.parent))


def main(gguf: str) -> None:
    """Load the GGUF once, and have its IR saved."""
    import openvino_genai  # noqa: PLC0415  only the child process pays for it

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = 1  # GB
    openvino_genai.ContinuousBatchingPipeline(gguf, scheduler, "CPU", {"enable_save_ov_model": True})


if __name__ == "__main__":
    main(sys.argv[1])
