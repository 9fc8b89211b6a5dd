"""The key file, and how it changes while the service runs."""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from querygist.api import auth
from querygist.api.auth import Authenticator, new_key
from querygist.api.quotas import Quotas
from querygist.errors import Forbidden
from querygist.metrics import Metrics

Clock = Callable[[float], None]


def entry(*keys: str) -> dict[str, object]:
    return {"sha256": [hashlib.sha256(key.encode()).hexdigest() for key in keys], "per_minute": 5}


def write(path: Path, **tenants: Sequence[str]) -> None:
    path.write_text(json.dumps({name: entry(*keys) for name, keys in tenants.items()}))


def outdated(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("querygist_api_keys_outdated")


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """`pass_time(seconds)`: for the authenticator alone."""
    now = 1000.0

    class Time:
        @staticmethod
        def monotonic() -> float:
            return now

    def move(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(auth, "time", Time)
    return move


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    write(path, search=["old"])
    return path


def knows(authenticator: Authenticator, key: str) -> bool:
    try:
        return authenticator.authenticate(f"Bearer {key}").name == "search"
    except Forbidden:
        return False


def test_a_tenant_may_have_two_keys_at_once(keys: Path) -> None:
    write(keys, search=["old", "new"])
    one = Authenticator(keys, Quotas(), Metrics())
    assert (knows(one, "old"), knows(one, "new"), knows(one, "other")) == (True, True, False)


def test_a_changed_file_holds_within_a_second(keys: Path, pass_time: Clock) -> None:
    one = Authenticator(keys, Quotas(), Metrics())
    write(keys, search=["new"])
    pass_time(0.9)
    assert knows(one, "old"), "not looked at yet"
    pass_time(0.2)
    assert (knows(one, "old"), knows(one, "new")) == (False, True)


def test_kubernetes_swaps_a_symbolic_link(tmp_path: Path, pass_time: Clock) -> None:
    for version, key in (("one", "old"), ("two", "new")):
        (tmp_path / version).mkdir()
        write(tmp_path / version / "keys.json", search=[key])
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "keys.json").symlink_to("..data/keys.json")
    one = Authenticator(tmp_path / "keys.json", Quotas(), Metrics())
    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    pass_time(1)
    assert (knows(one, "old"), knows(one, "new")) == (False, True)


@pytest.mark.parametrize("content", ["{", '{"search": {"sha256": [], "per_minute": 1}}', None])
def test_a_broken_file_keeps_the_old_keys(
    keys: Path, pass_time: Clock, logged: io.StringIO, content: str | None
) -> None:
    metrics = Metrics()
    one = Authenticator(keys, Quotas(), metrics)
    assert outdated(metrics) == 0
    keys.unlink()
    if content is not None:
        keys.write_text(content)
    for _ in range(3):
        pass_time(1)
        assert knows(one, "old")
    assert outdated(metrics) == 1
    assert logged.getvalue().count("api_keys_not_read") == 1
    write(keys, search=["new"])
    pass_time(1)
    assert knows(one, "new")
    assert outdated(metrics) == 0


async def test_a_request_of_a_tenant_that_left_ends_well(keys: Path, pass_time: Clock) -> None:
    one = Authenticator(keys, Quotas(), Metrics())
    known = one.authenticate("Bearer old")
    write(keys, other=["new"])
    pass_time(1)
    assert one.authenticate("Bearer new").name == "other"
    assert (await one.admit(known, 1, interactive=True)).tenant == "search"


def test_a_new_key_is_let_in_by_its_entry(tmp_path: Path) -> None:
    key, content = new_key("search", 600)
    (tmp_path / "keys.json").write_text(content)
    assert key not in content
    assert knows(Authenticator(tmp_path / "keys.json", Quotas(), Metrics()), key)
    assert new_key("search", 600)[0] != key
