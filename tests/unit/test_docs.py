"""What the README and the project say of themselves."""

import re
import subprocess
import sys

from querygist.metrics import Metrics
from querygist.settings import Settings
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `QUERYGIST_(\w+)` \| ([^|]*) \|", README, re.M))
    assert {name.lower() for name in rows} == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        if field.default_factory is None and name != "weights_dir":
            default = rows[name.upper()].strip().strip("`")
            assert default == ("" if field.default is None else f"{field.default}"), name


def test_every_metric_is_in_the_readme() -> None:
    names = {metric.name for metric in Metrics().registry.collect()}
    assert names <= {name.removesuffix("_total") for name in re.findall(r"`(querygist_\w+)`", README)}


def test_files_that_are_named_exist() -> None:
    for document in ("README.md", "ARCHITECTURE.md"):
        text = (REPOSITORY / document).read_text()
        for path in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (REPOSITORY / path).exists(), f"{document} links to {path}"
        for path in re.findall(r"`((?:service|loadtest|training|tests|model_repository|docs)/[\w/.]+)`", text):
            assert (REPOSITORY / path).exists(), f"{document} names {path}"


def test_serving_loads_neither_torch_nor_openvino_into_the_gateway() -> None:
    """The engine's libraries belong to its own process: they cost memory and start-up time."""
    code = (
        "import sys, querygist.cli, querygist.api.server, querygist.api.app, querygist.engine_factory; "
        "print([m for m in ('torch', 'transformers', 'openvino', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def test_nothing_is_left_to_fill_in() -> None:
    for document in ("README.md", "ARCHITECTURE.md"):
        text = re.sub(r"```.*?```|`[^`]*`", "", (REPOSITORY / document).read_text(), flags=re.S)
        assert not re.findall(r"\b(?:TODO|FIXME|XXX|[A-Z0-9]+_[A-Z0-9_]+)\b", text), document
