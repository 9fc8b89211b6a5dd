"""A model of the paper's shape, GPT-2 with 12 layers of 768 and random weights: to check how such a one is exported."""

from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel


def random_gpt2(seed: int) -> Any:
    """124 million weights as `GPT2Config` draws them (vocabulary 50,257, 1,024 positions); the same for one seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPT2LMHeadModel(GPT2Config()).eval()


def random_prompts(seed: int, *, count: int, shortest: int = 16, longest: int = 960) -> list[list[int]]:
    """`count` prompts of random ids, for a model that has no tokenizer, the longest first; lengths in tokens."""
    chance = torch.Generator().manual_seed(seed)
    lengths = torch.linspace(longest, shortest, count).int().tolist()
    return [torch.randint(GPT2Config().vocab_size, (length,), generator=chance).tolist() for length in lengths]
