"""Our tensors against the image's template."""

import pytest

from deploy.gpu.template import differences
from querygist.errors import ConfigurationError
from querygist.triton_server.repository import CPU_MODEL, GPU_MODEL, load_config
from tests import container_double

OURS = load_config(GPU_MODEL)


def test_placeholders_are_filled_as_fill_template_would() -> None:
    template = container_double.template()
    assert "${logits_datatype}" in template
    assert differences(OURS, template) == []


def test_layout_and_comments_do_not_matter_and_the_cpu_model_has_the_same_tensors() -> None:
    spread = container_double.template().replace("{ name:", "{\n  # a comment\n  name:")
    assert differences(load_config(CPU_MODEL), spread) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ('"seed" data_type: TYPE_UINT64', '"seed" data_type: TYPE_INT64', "input seed"),
        (
            '"draft_input_ids" data_type: TYPE_INT32 dims: [ -1 ]',
            '"draft_input_ids" data_type: TYPE_INT32 dims: [ 1 ]',
            "input draft_input_ids",
        ),
        ('{ name: "batch_index"', '{ name: "batch_number"', "output batch_index"),
        (
            '"end_id" data_type: TYPE_INT32 dims: [ 1 ] reshape: { shape: [ ] } optional: true',
            '"end_id" data_type: TYPE_INT32 dims: [ 1 ] reshape: { shape: [ ] }',
            "input end_id",
        ),
        (
            '"end_id" data_type: TYPE_INT32 dims: [ 1 ] reshape: { shape: [ ] }',
            '"end_id" data_type: TYPE_INT32 dims: [ 1 ]',
            "input end_id",
        ),
    ],
    ids=["type", "dimensions", "name", "optional", "reshape"],
)
def test_a_tensor_that_is_otherwise_is_told(ours: str, theirs: str, told: str) -> None:
    template = container_double.template()
    assert ours in template
    found = differences(OURS, template.replace(ours, theirs))
    assert any(one.startswith(told) for one in found)
    assert len(found) == (2 if "batch" in told else 1), "a new name is missing on both sides"


@pytest.mark.parametrize("text", ["not a template", "input [ { name: ${nobody_fills_this} } ]"])
def test_a_template_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match="template cannot be read"):
        differences(OURS, text)
