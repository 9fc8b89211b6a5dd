"""The model repository that a Triton server is started with."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc.model_config_pb2 import ModelConfig

from querygist.errors import ConfigurationError
from querygist.triton_server.repository import CPU_MODEL, load_config, lookahead, render

TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    [
        '"',
        "'",
        "\\",
        '\\"',
        "a\nb",
        "\r\n",
        "}",
        '" } }',
        "\x00",
        "\x1b[0m",
        "#",
        "日本",
        "\u2028",
        "𝔞",
        '{"a": "b\\n"}',
    ]
)


@given(st.dictionaries(TEXT, TEXT, max_size=4))
def test_whatever_the_values_are_the_server_reads_them_back(
    tmp_path_factory: pytest.TempPathFactory, parameters: dict[str, str]
) -> None:
    rendered = render(CPU_MODEL, tmp_path_factory.mktemp("repository"), parameters)
    before = text_format.Parse((CPU_MODEL / "config.pbtxt").read_text(), ModelConfig())
    after = text_format.Parse((rendered / "config.pbtxt").read_text(), ModelConfig())
    told = {name: parameter.string_value for name, parameter in after.parameters.items()}
    assert told == {name: parameter.string_value for name, parameter in before.parameters.items()} | parameters
    after.ClearField("parameters")
    before.ClearField("parameters")
    assert after == before


def test_the_model_is_copied_without_what_python_left_beside_it(tmp_path: Path) -> None:
    source = tmp_path / "source" / "tensorrt_llm"
    (source / "1/__pycache__").mkdir(parents=True)
    (source / "1/__pycache__/model.pyc").touch()
    (source / "1/model.py").write_text("the model")
    (source / "config.pbtxt").write_text('name: "tensorrt_llm"')
    rendered = render(source, tmp_path / "repository", {})
    assert rendered == tmp_path / "repository" / "tensorrt_llm"
    files = {path.relative_to(rendered).as_posix() for path in rendered.rglob("*") if path.is_file()}
    assert files == {"config.pbtxt", "1/model.py"}
    assert (rendered / "1/model.py").read_text() == "the model"


def test_the_shipped_configuration_says_how_it_decodes() -> None:
    config = load_config(CPU_MODEL)
    assert config.max_batch_size == 32
    assert lookahead(config) == (4, 6, 4)


@pytest.mark.parametrize("content", [None, b"name: ", b"nonsense: 1", b"\xff\xfe"])
def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "config.pbtxt").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"config\.pbtxt"):
        render(tmp_path, tmp_path / "repository", {})
