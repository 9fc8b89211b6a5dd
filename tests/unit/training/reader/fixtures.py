"""A tiny random encoder, and examples for it."""

from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertModel

from querygist.reader.input_format import CLS, SEP
from tests.unit.reader.fixtures import WORDS
from training.reader import attention
from training.reader.examples import Example
from training.reader.model import Reader

_STARS = 10


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
