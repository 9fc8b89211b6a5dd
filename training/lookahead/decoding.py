"""Lookahead decoding (Fu et al., 2024), as a reference to read and to test against; TensorRT-LLM serves it on GPUs.

Greedy decoding gives one token for each pass through the model. Here one pass does three things at once:

- *the last token* t0 goes in, as always, and the pass gives the token after it;
- *verification*: up to G n-grams that have followed t0 before are written behind it, each seeing t0 and itself only.
  The model says at every place what comes next; as long as the n-gram agrees, its tokens are right, and free;
- *lookahead*: a window of W columns and N-1 levels guesses at the future (Jacobi iteration): each pass reads the
  window's diagonals and writes a new level. What stands in a column is an n-gram for the pool, right or wrong.

Whatever is guessed, each emitted token is the model's own choice after exactly the tokens before it. So the output is
that of plain greedy decoding (in exact arithmetic; other shapes of a matrix product round otherwise). What guesses
change is the number of passes.
"""

import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from training.lookahead.ngram_pool import Pool, Shape, accepted


@dataclass(frozen=True, slots=True)
class Decoded:
    """`ids`: the output, its end id included. `given`: how many of them each forward pass gave, the prompt's first."""

    ids: tuple[int, ...]
    given: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prefilled:
    """A prompt that went through the model: its keys and values, and the id that follows it."""

    prompt: Sequence[int]
    cache: Any
    first: int


@dataclass(frozen=True, slots=True)
class Pass:
    """Input of one forward pass, behind the keys and values of all tokens before t0.

    `ids` int[n]: t0, the window level by level (without t0, its first place), the candidates one after another.
    `offsets` int[n]: positions, t0's being 0. `visible` bool[n, n]: which of these tokens each of them sees.
    `last_level`: rows whose outputs are the window's new level. `rows`: of each candidate.
    """

    ids: torch.Tensor
    offsets: torch.Tensor
    visible: torch.Tensor
    last_level: list[int]
    rows: list[range]


def layout(levels: Sequence[Sequence[int]], candidates: Sequence[Sequence[int]], last: int) -> Pass:
    """The tokens of one pass, for a window of N-1 `levels` of W ids; of level 0, the first id is t0, the `last` token.

    The token of level l in column i stands at i + l, and sees level 0 up to its column and its column up to itself.
    """
    places = [(level, column) for level, ids in enumerate(levels) for column in range(len(ids))] or [(0, 0)]
    window = [levels[level][column] for level, column in places] if levels else [last]
    ids = [*window, *(id_ for candidate in candidates for id_ in candidate)]
    offsets = [column + level for level, column in places]
    offsets += [1 + place for candidate in candidates for place in range(len(candidate))]
    visible = torch.zeros(len(ids), len(ids), dtype=torch.bool)
    for row, (level, column) in enumerate(places):
        for other, (seen_level, seen_column) in enumerate(places):
            before = seen_level == 0 and seen_column <= column
            visible[row, other] = before or (seen_column == column and seen_level <= level)
    rows, begin = [], len(window)
    for candidate in candidates:
        end = begin + len(candidate)
        visible[begin:end, 0] = True
        visible[begin:end, begin:end] = torch.ones(len(candidate), len(candidate)).tril().bool()
        rows.append(range(begin, end))
        begin = end
    last_level = [row for row, (level, _) in enumerate(places) if levels and level == len(levels) - 1]
    return Pass(torch.tensor(ids), torch.tensor(offsets), visible, last_level, rows)


@torch.inference_mode()
def prefill(model: Any, prompt: Sequence[int]) -> Prefilled:
    """The prompt's pass. `model`: a causal language model of transformers, in eval mode."""
    cache = DynamicCache(config=model.config)
    logits = model(input_ids=torch.tensor([prompt]), past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    return Prefilled(prompt, cache, int(logits[0, -1].argmax()))


@torch.inference_mode()
def decode(
    model: Any, prefilled: Prefilled, shape: Shape, *, end_id: int, max_new_tokens: int, seed: int = 0
) -> Decoded:
    """Greedy output for the prompt, until the end id or `max_new_tokens`.

    `seed`: of the window's first guesses, random tokens of the prompt; it may change the passes and not the output.
    """
    prompt, cache, output, given = prefilled.prompt, deepcopy(prefilled.cache), [prefilled.first], [1]
    pool = Pool(shape, [*prompt, *output])
    chance = random.Random(seed)  # noqa: S311
    levels = [chance.choices(prompt, k=shape.window) for _ in range(shape.ngram - 1)] if shape.window else []
    while output[-1] != end_id and len(output) < max_new_tokens:
        if levels:
            levels[0][0] = output[-1]
        candidates = pool.candidates()
        one = layout(levels, candidates, output[-1])
        choices = _forward(model, cache, one)
        winner, new = _verified(candidates, one.rows, choices)
        _keep(cache, len(prompt) + len(output) - 1, [0, *winner])
        new = _until(new, end_id)[: max_new_tokens - len(output)]
        if levels:
            _harvest(pool, levels, [choices[row] for row in one.last_level], filled=len(given) >= shape.ngram - 1)
        pool.extend(new)
        output += new
        given.append(len(new))
    return Decoded(tuple(output), tuple(given))


def _forward(model: Any, cache: Any, one: Pass) -> list[int]:
    """The model's choice after each token of the pass. The cache then holds all of them."""
    past, size = cache.get_seq_length(), len(one.ids)
    seen = torch.cat([torch.ones(size, past, dtype=torch.bool), one.visible], dim=1)
    mask = torch.zeros(1, 1, size, past + size, dtype=model.dtype).masked_fill(~seen, torch.finfo(model.dtype).min)
    logits = model(
        input_ids=one.ids[None],
        position_ids=past + one.offsets[None],
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
    ).logits
    best: list[int] = logits[0].argmax(dim=-1).tolist()
    return best


def _verified(
    candidates: Sequence[Sequence[int]], rows: Sequence[range], choices: Sequence[int]
) -> tuple[range, list[int]]:
    """The rows of the longest accepted candidate, and what the pass gives: its tokens and the one after them."""
    best, new = range(0), [choices[0]]
    for candidate, places in zip(candidates, rows, strict=True):
        truth = [choices[0], *(choices[row] for row in places)]
        count = accepted(candidate, truth)
        if count > len(best):
            best, new = places[:count], truth[: count + 1]
    return best, new


def _keep(cache: Any, past: int, rows: Sequence[int]) -> None:
    """Of the last pass's keys and values (float[1, heads, tokens, size]) keep those of accepted tokens."""
    kept = torch.tensor([*range(past), *(past + row for row in rows)])
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys.index_select(2, kept), layer.values.index_select(2, kept)


def _harvest(pool: Pool, levels: list[list[int]], new: list[int], *, filled: bool) -> None:
    """The columns' n-grams go into the pool, and the window moves on by one, however many tokens were accepted.

    Not before it is `filled` with what the model wrote: until then columns hold random tokens.
    """
    if filled:
        for column, key in enumerate(levels[0]):
            pool.guess(key, [*(level[column] for level in levels[1:]), new[column]])
    moved = [*levels[1:], new]
    levels[0][1:] = moved[0][1:]
    levels[1:] = moved[1:]


def _until(ids: list[int], end_id: int) -> list[int]:
    return ids[: ids.index(end_id) + 1] if end_id in ids else ids
