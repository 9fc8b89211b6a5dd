"""The device that trains: how it is chosen, and that batches and precision follow it."""

from typing import Any

import pytest
import torch

from querygist.errors import ConfigurationError
from tests.unit.training.train.test_trainer import PAD, some
from training.config import DistillConfig, DpoConfig, StudentConfig
from training.train import batches, distill, dpo, sft
from training.train.device import autocast, choose_device


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Any:
    def pretend(*devices: str) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in devices)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in devices)

    return pretend


@pytest.mark.parametrize(
    ("devices", "chosen"), [((), "cpu"), (("mps",), "mps"), (("cuda",), "cuda"), (("mps", "cuda"), "cuda")]
)
def test_auto_takes_cuda_then_mps_then_the_cpu(there: Any, devices: tuple[str, ...], chosen: str) -> None:
    there(*devices)
    assert choose_device("auto") == torch.device(chosen)
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(there: Any, device: str) -> None:
    there()
    with pytest.raises(ConfigurationError, match=f"torch finds no {device} device here"):
        choose_device(device)


@pytest.mark.parametrize(
    ("device", "bf16", "supported", "enabled"),
    [
        ("cpu", None, True, False),
        ("cpu", True, False, True),
        ("mps", None, True, False),
        ("cuda", None, True, True),
        ("cuda", None, False, False),
        ("cuda", False, True, False),
    ],
)
def test_bf16_is_the_default_only_on_a_gpu_that_has_it(
    monkeypatch: pytest.MonkeyPatch, device: str, bf16: bool | None, supported: bool, enabled: bool
) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr(torch, "autocast", lambda kind, **options: made.update(kind=kind, **options))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    autocast(torch.device(device), StudentConfig(bf16=bf16))
    assert made == {"kind": device, "dtype": torch.bfloat16, "enabled": enabled}


def test_a_batch_lies_on_the_device() -> None:
    batch = batches.collate(some(3), PAD, torch.device("meta"))
    assert {one.device.type for one in (batch.ids, batch.mask, batch.labels)} == {"meta"}


@pytest.mark.parametrize(
    "objective",
    [
        sft.likelihood(PAD),
        sft.choosing(PAD, 5, 0.5),
        distill.white_box(None, DistillConfig(), pad_id=PAD, seed=1),
        dpo.preference(DpoConfig(), PAD),
    ],
    ids=["likelihood", "choosing", "white box", "preference"],
)
def test_every_objective_batches_on_the_models_device(monkeypatch: pytest.MonkeyPatch, objective: Any) -> None:
    class Seen(Exception):
        pass

    class Elsewhere:
        device = torch.device("meta")

    def collate(_examples: object, _pad_id: int, device: torch.device | None = None) -> None:
        assert device == Elsewhere.device
        raise Seen

    monkeypatch.setattr(batches, "collate", collate)
    one, other = some(2)
    examples = [dpo.Choice(one, other)] if objective.units is len else [one]
    with pytest.raises(Seen):
        objective.loss(Elsewhere(), examples)
