"""The tokenizer that a GGUF's vocabulary makes."""

from pathlib import Path

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from querygist.artifact import tokenizer_from_gguf
from querygist.errors import ArtifactError
from tests.conftest import WEIGHTS
from tests.unit.artifact import tiny


@pytest.fixture(scope="module")
def derived(tiny_gguf: Path) -> Tokenizer:
    return tokenizer_from_gguf.build(gguf.GGUFReader(str(tiny_gguf)))


@given(text=st.text())
def test_it_is_the_tokenizer_the_gguf_was_made_with(derived: Tokenizer, text: str) -> None:
    ids = derived.encode(text, add_special_tokens=False).ids
    assert ids == tiny.tokenizer().encode(text, add_special_tokens=False).ids
    assert derived.decode(ids, skip_special_tokens=False) == text


def test_control_tokens_are_special(derived: Tokenizer) -> None:
    assert derived.encode("<|im_start|>the 12<|im_end|>", add_special_tokens=False).tokens == [
        *("<|im_start|>", "the", "Ġ", "1", "2", "<|im_end|>")
    ]
    assert derived.decode([1, 2]) == ""


def test_the_file_is_the_same_every_time(tiny_gguf: Path) -> None:
    first, second = (tokenizer_from_gguf.build(gguf.GGUFReader(str(tiny_gguf))) for _ in range(2))
    assert first.to_str() == second.to_str()


def write_vocabulary(path: Path, *, model: str = "gpt2", pre: str = "smollm", types: bool = True) -> gguf.GGUFReader:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(["<s>", "<x>", "a", "b", "ab", "Ġ", "1", "2", "12"])
    if types:
        writer.add_token_types([3, 4, 1, 1, 1, 1, 1, 1, 1])
    writer.add_token_merges(["a b", "1 2"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return gguf.GGUFReader(str(path))


def test_the_pre_tokenizers_word_decides_about_digits(tmp_path: Path) -> None:
    smollm = tokenizer_from_gguf.build(write_vocabulary(tmp_path / "a.gguf"))
    gpt2 = tokenizer_from_gguf.build(write_vocabulary(tmp_path / "b.gguf", pre="gpt-2"))
    assert smollm.encode("ab 12").tokens == ["ab", "Ġ", "1", "2"]
    assert gpt2.encode("ab 12").tokens == ["ab", "Ġ", "12"]


def test_a_user_defined_token_is_matched_but_not_special(tmp_path: Path) -> None:
    derived = tokenizer_from_gguf.build(write_vocabulary(tmp_path / "a.gguf"))
    assert derived.decode(derived.encode("<s>a<x>b").ids, skip_special_tokens=True) == "a<x>b"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "llama"}, "of the kind 'llama'; only 'gpt2'"),
        ({"pre": "qwen2"}, "pre-tokenizer is 'qwen2'"),
        ({"types": False}, "has no tokenizer.ggml.token_type"),
    ],
)
def test_an_unknown_vocabulary_is_refused(tmp_path: Path, fields: dict[str, str], message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        tokenizer_from_gguf.build(write_vocabulary(tmp_path / "a.gguf", **fields))


def test_the_shipped_tokenizer_splits_digits_and_is_lossless() -> None:
    shipped = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
    assert shipped.encode("In 2026").tokens == ["In", "Ġ", "2", "0", "2", "6"]
    assert shipped.encode("<|im_start|>user\n").ids == [1, 4093, 198]
    text = " two  spaces\t\ttabs\r\n\n½ ² naïve e\u0301 中文 עברית 👩‍👩‍👧 \u200b don't I'LL"
    assert shipped.decode(shipped.encode(text).ids) == text
