"""Workload files, and the one that is shipped."""

from pathlib import Path

import pytest

from loadtest.__main__ import STUDENT
from querygist.errors import ConfigurationError
from querygist.sizing.workload import PLAIN, Decoder, Workload

WORKLOAD = Workload("here", ((100, 20), (300, 60)), (Decoder("n-grams", 6, 6, (5.0, 3.0, 2.0), "there"),))


def test_a_file_comes_back(tmp_path: Path) -> None:
    WORKLOAD.save(tmp_path / "w.json")
    assert Workload.load(tmp_path / "w.json") == WORKLOAD


def test_means_and_names() -> None:
    assert (WORKLOAD.mean_prompt, WORKLOAD.mean_output) == (200, 40)
    assert list(WORKLOAD.by_name) == ["plain", "n-grams"]
    assert WORKLOAD.by_name["plain"] == PLAIN
    assert WORKLOAD.by_name["n-grams"].compression == pytest.approx(1.7)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"source": "x"}', "wrong at requests"),
        ('{"source": "x", "requests": [[1]]}', "wrong at requests.0"),
        ('{"source": "x", "requests": [[1, 2]], "decoders": [{"name": "d"}]}', r"wrong at decoders\.0"),
        ("nonsense", "wrong at the whole file"),
    ],
)
def test_a_wrong_file_is_named_with_the_field(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "w.json").write_text(content)
    with pytest.raises(ConfigurationError, match=said):
        Workload.load(tmp_path / "w.json")


def test_a_missing_file_and_empty_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        Workload.load(tmp_path / "w.json")
    for requests in ((), ((0, 5),)):
        with pytest.raises(ConfigurationError, match="needs requests"):
            Workload("x", requests)


def test_the_shipped_workload_fits_the_served_model() -> None:
    shipped = Workload.load(STUDENT)
    assert max(prompt for prompt, _ in shipped.requests) <= 896  # the manifest's context
    assert max(output for _, output in shipped.requests) <= 192
    for decoder in shipped.decoders:
        assert 1 < decoder.compression <= 6  # N = 6: a pass gives at most six tokens
        assert len(decoder.emitted) <= 6
