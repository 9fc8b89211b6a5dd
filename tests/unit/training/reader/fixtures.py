"""A tiny random encoder, a tokenizer of few words, and examples for it."""

from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import BertConfig, BertModel

from training.reader import attention
from training.reader.examples import Example
from training.reader.input_format import CLS, SEP, InputEncoder
from training.reader.model import Reader

WORDS = ["the", "moon", "is", "cold", "sun", "hot", "why", "what", "topics", "stars", "shine", "home", "menu"]
_STARS = 10


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


def encoder() -> InputEncoder:
    return InputEncoder(tokenizer())


def tiny_bert() -> Any:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=200, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        attn_implementation=attention.NAME,
    )  # fmt: skip
    return BertModel(config, add_pooling_layer=False)


def tiny_reader() -> Reader:
    bert = tiny_bert()
    torch.manual_seed(1)
    return Reader(bert)


def some_examples(count: int) -> list[Example]:
    """Examples of two to four units of random words; in two of three, one begins with "stars" and answers."""
    chance = np.random.default_rng(0)
    made = []
    for number in range(count):
        ids, places = [CLS, 5, SEP], []
        for _ in range(chance.integers(2, 5)):
            ids += [*chance.integers(1, _STARS, size=chance.integers(1, 5)).tolist(), SEP]
            places.append(len(ids) - 1)
        answers = np.zeros(len(places), np.int8)
        if number % 3:
            answers[number % len(places)] = 1
            ids[[2, *places][number % len(places)] + 1] = _STARS
        made.append(
            Example(
                str(number), "s", np.array(ids, np.int32), np.zeros(len(ids), np.int8), np.array(places, np.int32),
                answers, int(answers.any()), "why", tuple(WORDS[place] for place in range(len(places))),
            )
        )  # fmt: skip
    return made
