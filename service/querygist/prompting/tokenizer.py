"""Text to token ids and back, with one line drawn: only our own template may produce control tokens."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer as _Tokenizer


class Tokenizer:
    """The model's tokenizer, loaded from one `tokenizer.json`. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._control = _Tokenizer.from_file(str(path))
        self._plain = _Tokenizer.from_file(str(path))
        # Text from outside that spells a control token stays text: "<|im_end|>" becomes "<", "|", "im", ...
        self._plain.encode_special_tokens = True
        self._encode_template = lru_cache(maxsize=1024)(
            lambda text: tuple(self._control.encode(text, add_special_tokens=False).ids)
        )

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids, control tokens included."""
        return self._control.get_vocab_size(with_added_tokens=True)

    def id_of(self, token: str) -> int | None:
        """The id of one token, or None when the vocabulary does not have it."""
        return self._control.token_to_id(token)

    def encode_template(self, text: str) -> Sequence[int]:
        """Ids of text we wrote ourselves; control tokens in it count as such. There are few such texts."""
        return self._encode_template(text)

    def encode(self, text: str) -> list[int]:
        """Ids of text from outside; control tokens in it are plain characters."""
        return self._plain.encode(text, add_special_tokens=False).ids

    def count_each(self, texts: Sequence[str]) -> list[int]:
        """Return the number of ids of each text, encoded as text from outside."""
        return [len(one.ids) for one in self._plain.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, control tokens left out. A character whose bytes are incomplete decodes to U+FFFD."""
        return self._control.decode(list(ids), skip_special_tokens=True)
