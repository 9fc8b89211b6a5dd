# ruff: noqa: D103, S311
"""Compare sentence segmenters: gold rows that are wholly right, speed, agreement on prose, ends overturned later.

pip install pysbd==0.3.4 syntok==1.4.4 blingfire==0.1.8 sentencex==1.0.32 sentence-splitter==1.4, then
PYTHONPATH=service python docs/results/sentences/compare.py tests/data/sentence_ends.jsonl DOCUMENTS.jsonl
"""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import blingfire
import pysbd
import sentencex
from sentence_splitter import SentenceSplitter
from syntok import segmenter

from querygist.text.sentences import sentence_ends, sentence_spans

Ends = list[int]


def located(text: str, sentences: Iterable[str]) -> Ends:
    """Find the ends of sentences that a segmenter gives as strings; raises ValueError when it changed them."""
    ends = [0]
    for sentence in filter(None, map(str.strip, sentences)):
        ends.append(text.index(sentence, ends[-1]) + len(sentence))
    return ends[1:]


def of_pysbd(text: str, language: str) -> Ends:
    return located(text, pysbd.Segmenter(language=language if language != "th" else "en", clean=False).segment(text))


def of_syntok(text: str, _: str) -> Ends:
    return [s[-1].offset + len(s[-1].value) for paragraph in segmenter.analyze(text) for s in paragraph]


def of_blingfire(text: str, _: str) -> Ends:
    return [len(text[:end].rstrip()) for _, end in blingfire.text_to_sentences_and_offsets(text)[1]]


def of_sentencex(text: str, language: str) -> Ends:
    return located(text, sentencex.segment(language, text))


def of_splitter(text: str, language: str) -> Ends:
    return located(text, SentenceSplitter(language=language if language in {"de", "fr", "es"} else "en").split(text))


def of_querygist(text: str, _: str) -> Ends:
    return [end for _, end in sentence_spans(text)]


SEGMENTERS: dict[str, Callable[[str, str], Ends]] = {
    "querygist": of_querygist,
    "pysbd": of_pysbd,
    "syntok": of_syntok,
    "blingfire": of_blingfire,
    "sentencex": of_sentencex,
    "sentence-splitter": of_splitter,
}


def overturned(name: str, text: str, language: str) -> bool:
    """True when a beginning of the text has an end, not its last, that the whole text has not, or misses one."""
    segment = SEGMENTERS[name]
    known = sentence_ends if name == "querygist" else lambda part: segment(part, language)[:-1]
    whole = segment(text, language)
    return any((ends := known(text[:cut])) != whole[: len(ends)] for cut in range(1, len(text)))


def main(gold_path: str, documents_path: str) -> None:
    gold = [json.loads(line) for line in Path(gold_path).read_text(encoding="utf-8").splitlines()]
    rows = (json.loads(line) for line in Path(documents_path).read_text(encoding="utf-8").splitlines())
    documents = sorted({row["document"] for row in rows if 100 <= len(row["document"].split()) <= 600})
    documents = random.Random(7).sample(documents, 200)
    found: dict[str, list[set[int]]] = {}
    for name, segment in SEGMENTERS.items():
        right = Counter(row["language"] for row in gold if segment(row["text"], row["language"]) == row["ends"])
        segment(documents[0], "en")
        start = time.process_time()
        found[name] = [set(segment(document, "en")) for document in documents]
        speed = sum(map(len, documents)) / (time.process_time() - start)
        changed = sum(overturned(name, row["text"], row["language"]) for row in gold)
        print(name, right.total(), dict(right), f"{speed / 1e6:.2f} M/s", f"{changed} overturned")
    print(Counter(row["language"] for row in gold), sum(map(len, documents)), "characters of prose")
    others = [ends for name, ends in found.items() if name != "querygist"]
    majority = [
        {end for end, n in Counter(e for ends in row for e in ends).items() if n > 2}
        for row in zip(*others, strict=True)
    ]
    for name, ends in found.items():
        print(name, f"F1 with the majority {f1(ends, majority):.4f}")


def f1(ends: list[set[int]], truth: list[set[int]]) -> float:
    both = sum(len(a & b) for a, b in zip(ends, truth, strict=True))
    return 2 * both / (sum(map(len, ends)) + sum(map(len, truth)))


if __name__ == "__main__":
    main(*sys.argv[1:])
