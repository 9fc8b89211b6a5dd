"""A tokenizer of few words."""

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from querygist.reader.input_format import CLS, LIMITS, SEP, InputEncoder

WORDS = ["the", "moon", "is", "cold", "sun", "hot", "why", "what", "topics", "stars", "shine", "home", "menu"]


def tokenizer() -> Tokenizer:
    """Ids as BERT's: [PAD] 0, [UNK] 100, [CLS] 101, [SEP] 102; the words from 1 on, letters from 120."""
    vocabulary = {"[PAD]": 0, "[UNK]": 100, "[CLS]": CLS, "[SEP]": SEP}
    vocabulary |= {word: number for number, word in enumerate(WORDS, 1)}
    letters = "abcdefghijklmnopqrstuvwxyz[].?"
    vocabulary |= {letter: 120 + number for number, letter in enumerate(letters) if letter not in vocabulary}
    vocabulary |= {f"##{letter}": 160 + number for number, letter in enumerate(letters)}
    made = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = BertNormalizer()
    made.pre_tokenizer = BertPreTokenizer()
    return made


def encoder(tokens: int = LIMITS.tokens) -> InputEncoder:
    return InputEncoder(tokenizer(), LIMITS.model_copy(update={"tokens": tokens}))
