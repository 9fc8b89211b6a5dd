"""A `tokenizer.json` from the vocabulary inside a GGUF file.

A GGUF carries tokens, merges and token types, but names its pre-tokenizer only by a word ("smollm"); what the word
means is llama.cpp's convention (llama-vocab.cpp), kept here for the shipped model's family and for plain GPT-2.
"""

from typing import Any

import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from querygist.artifact.merge import field
from querygist.errors import ArtifactError

_CONTROL, _USER_DEFINED = int(gguf.TokenType.CONTROL), int(gguf.TokenType.USER_DEFINED)


def _pre_tokenizer(pre: str) -> pre_tokenizers.PreTokenizer:
    """Return the pre-tokenizer that llama.cpp means by `tokenizer.ggml.pre`."""
    if pre == "smollm":
        return pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    if pre == "gpt-2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    raise ArtifactError(
        f"The GGUF's pre-tokenizer is {pre!r}, and only 'smollm' and 'gpt-2' are known. "
        "Serve the model from its Hugging Face folder, which brings a tokenizer.json."
    )


def build(reader: Any) -> Tokenizer:
    """Return the tokenizer of an open `gguf.GGUFReader`.

    Raises ArtifactError for a vocabulary that is not byte-level BPE, or with an unknown pre-tokenizer.
    """
    kind = field(reader, "tokenizer.ggml.model")
    if kind != "gpt2":
        raise ArtifactError(
            f"The GGUF's vocabulary is of the kind {kind!r}; only 'gpt2' (byte-level BPE) is supported. "
            "Serve the model from its Hugging Face folder, which brings a tokenizer.json."
        )
    tokens: list[str] = field(reader, "tokenizer.ggml.tokens")
    types: list[int] = field(reader, "tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ", 1)) for merge in field(reader, "tokenizer.ggml.merges")]
    vocabulary = {token: id_ for id_, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = _pre_tokenizer(field(reader, "tokenizer.ggml.pre"))
    tokenizer.decoder = decoders.ByteLevel()
    by_id = list(zip(tokens, types, strict=True))
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token, type_ in by_id if type_ == _CONTROL]
    )
    tokenizer.add_tokens(
        [AddedToken(token, special=False, normalized=False) for token, type_ in by_id if type_ == _USER_DEFINED]
    )
    return tokenizer
