"""The acceptance of a GPU, without one: the container's commands by script, and a real Triton on the CPU.

    pytest tests/process/test_accept.py

With the scripts everything of `deploy/gpu` runs as on a GPU machine, processes and gRPC included; what they answer is
made up. The steps that ask a model are run against the real CPU model as well, which has the same tensors.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.gpu import accept, decoding, latency, steps
from deploy.gpu.plan import Plan
from deploy.gpu.report import Report
from deploy.gpu.steps import Result
from deploy.gpu.workplace import Workplace
from querygist.engines.base import Identity
from querygist.engines.triton.tensorrt_llm import PARAMETER
from querygist.triton_server.repository import load_config
from querygist.trtllm.checkpoint import sign
from tests import container_double
from tests.conftest import REPOSITORY, WEIGHTS
from tests.triton_servers import TritonServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUIET = Console(quiet=True)
PATIENT = 60_000.0
"""Milliseconds: what a busy machine's scripts may take where their speed is not what is tested."""

FP8 = {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, identity: Identity, rows: list[dict[str, str]]) -> Path:
    """What `quantize` would have written, and three rows."""
    folder = tmp_path_factory.mktemp("given")
    sign(container_double.checkpoint(folder / "fp8", FP8), identity)
    (folder / "hf").mkdir()
    (folder / "hf/config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    shutil.copy(WEIGHTS / "tokenizer.json", folder / "hf/tokenizer.json")
    sign(folder / "hf", identity)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:3]))
    return folder


def small(given: Path, out: Path, **plan: Any) -> Plan:
    """A plan of seconds: one rate, the target's."""
    usual = {
        "hf": given / "hf", "checkpoint": given / "fp8", "out": out, "rows": given / "rows.jsonl", "weights": WEIGHTS,
        "batches": (1, 2, 12), "rates": (150.0,), "seconds": 0.3, "warm_up_seconds": 0.0,
    }  # fmt: skip
    return Plan(**(usual | plan))


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return container_double.installed(tmp_path_factory.mktemp("commands"))


Faults = Callable[[str], None]


@pytest.fixture
def faults(commands: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """The scripts come first on PATH; `faults(name)` makes one fail. Their speed is not judged."""
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(latency, "LATE_MS", PATIENT)
    monkeypatch.setattr(latency, "TARGET_MS", PATIENT)
    return lambda name: monkeypatch.setenv(container_double.FAULTS, name)


@pytest.fixture(scope="module")
def built(given: Path, commands: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """After the steps that build: what the other ones start from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
        place = Workplace.of(small(given, tmp_path_factory.mktemp("built")))
        found = run(place, "machine", "checkpoints", "config", "build")
    assert [one.status for one in found] == ["passed"] * 4, found
    return place


def run(place: Workplace, *names: str) -> list[Result]:
    """These steps alone; what they need of other ones is there already."""
    chosen = [
        replace(step, needs=tuple(need for need in step.needs if need in names))
        for step in accept._steps(place)
        if step.name in names
    ]
    place.work.mkdir(exist_ok=True)
    return steps.run(chosen, QUIET, place.work / "errors.log")


def test_when_everything_works_the_verdict_is_green(given: Path, faults: Faults, tmp_path: Path) -> None:
    written = accept.accept(small(given, tmp_path / "report"), QUIET)
    assert written.green, written.sentence
    told = json.loads((tmp_path / "report/report.json").read_text(), parse_constant=pytest.fail)
    assert told["verdict"] == "green"
    found = {one["name"]: one["found"] for one in told["steps"]}
    assert found["machine"]["gpu"] == "NVIDIA L20"
    assert set(found["build"]) == {"lookahead", "plain", "lookahead-kv16", "plain-kv16", "fp16"}
    assert found["smoke"]["batch_12"] == {"requests": 12, "same_as_alone": 1.0}
    assert found["equality"]["compared"]["engine without"] == {"differing": 0.0, "first_differing_token": {}}
    assert found["rouge"]["rouge2"]["lost"] == 0
    assert found["rouge"]["rouge2"]["fp8"] > 0
    served = found["latency"]["lookahead"]["150"]
    assert served["sent"] == served["answered"] > 20
    assert served["acceptance_rate"] == pytest.approx(1 / 39)
    assert found["latency"]["plain"]["150"]["acceptance_rate"] is None
    assert served["server_mean_ms"] == pytest.approx(9)
    assert served["queue_mean_ms"] == pytest.approx(1)
    assert (tmp_path / "report/report.md").read_text().startswith("# Acceptance of a GPU\n\n**Green.**")
    assert (tmp_path / "report/latency.png").exists()
    kv16 = load_config(tmp_path / "report/work/engines/lookahead-kv16/tensorrt_llm").parameters[PARAMETER].string_value
    assert json.loads(kv16)["kv_cache"] == "fp16"
    assert "_cache_scaling_factor" not in str(
        (tmp_path / "report/work/checkpoints/fp8-kv16/rank0.safetensors").read_bytes()
    )


@pytest.mark.parametrize(
    ("fault", "step", "told"),
    [
        ("docker", "machine", "could not select device driver"),
        ("no tensorrt_llm", "machine", "No module named 'tensorrt"),
        ("version", "machine", "TensorRT-LLM 1.3.0"),
        ("convert", "checkpoints", "CUDA out of memory"),
        ("template", "config", "output acceptance_rate"),
        ("old gpu", "build", "FP8 needs 8.9"),
        ("build", "build", "Engine building failed"),
        ("limits", "build", "max_num_tokens is 2048"),
    ],
)
def test_what_fails_while_building_turns_the_verdict_red(
    given: Path, faults: Faults, tmp_path: Path, fault: str, step: str, told: str
) -> None:
    faults(fault)
    place = Workplace.of(small(given, tmp_path))
    written = Report(run(place, "machine", "checkpoints", "config", "build"), place.plan)
    assert_red(written, step, told)


@pytest.mark.parametrize(
    ("fault", "ran", "step", "told"),
    [
        ("stale engine", (), "gateway", "adapter_sha256 is 'ffff"),
        ("server", (), "gateway", "failed to load all models"),
        ("smoke", (), "smoke", "cudaGetLastError(): invalid configuration argument"),
        ("empty answers", (), "smoke", "answer 0 of 1 has 0 tokens"),
        ("strange ids", (), "smoke", "some are not in the vocabulary"),
        ("equality", ("smoke",), "equality", "100.0% of 3 rows are not those of switched off"),
        ("rouge", ("smoke",), "rouge", "points of ROUGE-2 on 3 rows"),
        (
            "latency",
            ("smoke", "target"),
            "latency",
            "plain-kv16 at 150 a second: [request id: x] Exceeds maximum queue size",
        ),
    ],
)
def test_what_fails_while_serving_turns_the_verdict_red(
    built: Workplace, faults: Faults, fault: str, ran: tuple[str, ...], step: str, told: str
) -> None:
    faults(fault)
    written = Report(run(built, *ran, step), built.plan)
    assert_red(written, step, told)


def test_an_engine_that_is_too_slow_turns_the_verdict_red(
    built: Workplace, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults("slow")  # 80 ms an answer
    monkeypatch.setattr(latency, "TARGET_MS", 55.0)
    monkeypatch.setattr(latency, "TIMED", ("lookahead",))
    written = Report(run(built, "latency", "target"), built.plan)
    assert_red(written, "target", "ms on average; the target is 55 ms at 150 a second")


def assert_red(written: Report, step: str, told: str) -> None:
    """This step failed for this reason, no other one did, and the report names it."""
    failed = [one for one in written.results if one.status == "failed"]
    assert [one.name for one in failed] == [step], written.sentence
    assert told in failed[0].detail
    assert not written.green
    written.write(written.plan.out)
    report = json.loads((written.plan.out / "report.json").read_text())
    assert report["verdict"] == "red"
    assert f"{step} failed: " in report["sentence"]


def test_without_a_checkpoint_the_gpu_quantizes(given: Path, faults: Faults, tmp_path: Path) -> None:
    place = Workplace.of(small(given, tmp_path, checkpoint=None))
    found = run(place, "machine", "checkpoints")
    assert [one.status for one in found] == ["passed", "passed"], found
    assert place.checkpoints["fp8"].weights == place.checkpoints["fp8"].kv_cache == "fp8"
    [first, *_] = (place.work / "calibration/train.jsonl").read_text().splitlines()
    assert json.loads(first)["text"].startswith("<|im_start|>"), "control tokens are those of the prompt"
    faults("quantize")
    assert_red(Report(run(place, "machine", "checkpoints"), place.plan), "checkpoints", "CUDA out of memory")


@pytest.mark.parametrize("folder", ["hf", "fp8"])
def test_a_checkpoint_of_another_model_turns_the_verdict_red(
    given: Path, faults: Faults, tmp_path: Path, identity: Identity, folder: str
) -> None:
    shutil.copytree(given, tmp_path / "given")
    sign(tmp_path / "given" / folder, replace(identity, version="0.0.1"))
    place = Workplace.of(small(tmp_path / "given", tmp_path / "out"))
    found = run(place, "machine", "checkpoints")
    assert_red(Report(found, place.plan), "checkpoints", "version is '0.0.1' there")


def shell(given: Path, out: Path, faults: str, checkpoint: str = "fp8") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [REPOSITORY / "deploy/gpu/accept.sh", "--hf", "hf", "--checkpoint", checkpoint, "--out", out, "--seconds", "1"],
        env=os.environ | {container_double.FAULTS: faults, "QUERYGIST_VENV": str(Path(sys.executable).parent.parent)},
        cwd=given, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_the_one_command_tells_red_by_its_exit_code(given: Path, faults: Faults, tmp_path: Path) -> None:
    done = shell(given, tmp_path / "report", "docker")
    assert done.returncode == 1, done.stderr
    assert "red: machine failed: nvidia-smi failed with exit code 1" in done.stdout
    assert json.loads((tmp_path / "report/report.json").read_text())["verdict"] == "red"


def test_the_one_command_says_what_is_missing(given: Path, faults: Faults, tmp_path: Path) -> None:
    done = shell(given, tmp_path / "report", "", checkpoint="elsewhere")
    assert done.returncode == 2, done.stderr
    assert "There is no folder elsewhere" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.timeout(1200)
def test_the_steps_that_ask_a_model_run_on_a_real_triton(
    built: Workplace, faults: Faults, triton_model_server: TritonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU model stands behind every engine's name: real tokens, real drafts, and a real queue."""

    @contextmanager
    def served(place: Workplace, engine: str, step: str) -> Iterator[str]:
        yield triton_model_server.address

    monkeypatch.setattr(Workplace, "served", served)
    # One of three rows: int8 kernels round by the shape of a pass, as FP8's do.
    monkeypatch.setattr(decoding, "MOST_DIFFERING", 0.34)
    monkeypatch.setattr(latency, "TIMED", ("lookahead", "plain"))
    place = replace(built, plan=replace(built.plan, batches=(1, 2), rates=(1.0,), seconds=3.0))
    found = {one.name: one for one in run(place, "gateway", "smoke", "equality", "rouge", "latency", "target")}
    assert {name: one.status for name, one in found.items() if name != "target"} == dict.fromkeys(
        ("gateway", "smoke", "equality", "rouge", "latency"), "passed"
    ), found
    assert min(found["gateway"].found["streamed_tokens"].values()) > 0
    assert found["equality"].found["drafted"] >= found["equality"].found["accepted"] > 0
    assert found["rouge"].found["rouge2"]["lost"] == 0, "one model stands behind both names"
    for rates in found["latency"].found.values():
        assert rates["1"]["answered"] == rates["1"]["sent"] > 0
        assert 0 < rates["1"]["server_mean_ms"] <= rates["1"]["mean_ms"]
        assert 0 < rates["1"]["acceptance_rate"] <= 1
    assert "150 a second were not tried" in found["target"].detail
