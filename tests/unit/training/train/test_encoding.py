"""pytest tests/unit/training/train/test_encoding.py"""

from dataclasses import replace

from querygist.engines.base import Identity
from querygist.prompting.templates import BEST, LABEL, NO_ANSWER
from querygist.prompting.tokenizer import Tokenizer
from training.data.examples import Example
from training.train.encoding import encode

ANSWER = Example(
    "a", "s", "who hunts", "Mice hide. Owls hunt. Then rain fell.", "Owls hunt.", 10, "positive", derived=False
)
REFUSAL = replace(ANSWER, document="Trains stop here.", summary=NO_ANSWER, kind="unrelated")


def test_answer_begins_with_its_sentences_label_and_reads_on(tokenizer: Tokenizer, identity: Identity) -> None:
    identity = replace(identity, prompt_version="v4")
    found = encode(ANSWER, tokenizer, identity)
    beginning = tokenizer.encode_template(f"{LABEL}B")
    assert found.target == (*beginning, *tokenizer.encode(" Owls hunt. Then rain fell."), identity.end_id)
    assert found.target[:5] in runs(found.prompt, 5), "drafts go on from the label"
    assert [tokenizer.decode([found.prompt[place]]) for place in found.ends] == ["A", "B", "C"]
    assert found.answers == (False, True, False)


def test_a_refusal_has_no_label_and_no_sentence_answers(tokenizer: Tokenizer, identity: Identity) -> None:
    found = encode(REFUSAL, tokenizer, replace(identity, prompt_version="v4"))
    assert found.target == (*tokenizer.encode(NO_ANSWER), identity.end_id)
    assert found.answers == (False,)


def test_abstractive_answer_has_the_label_of_its_first_quote(tokenizer: Tokenizer, identity: Identity) -> None:
    document = "Mice hide by day. Owls hunt in the dark of the night. Then rain fell."
    own = replace(ANSWER, document=document, summary="It is owls that hunt in the dark of the night.")
    found = encode(own, tokenizer, replace(identity, prompt_version="v4"))
    assert found.answers == (False, True, False)
    assert found.target[2:] == (*tokenizer.encode(f" {own.summary}"), identity.end_id), "as what stands there begins"


def test_a_quote_over_line_ends_is_one(tokenizer: Tokenizer, identity: Identity) -> None:
    document = "Mice hide by day.\n\nOwls hunt\nin the dark of the night. Then rain fell."
    quote = replace(ANSWER, document=document, summary="Owls hunt in the dark of the night.")
    found = encode(quote, tokenizer, replace(identity, prompt_version="v4"))
    assert found.answers == (False, True, False)
    assert tokenizer.decode(found.target[2:-1]) == " Owls hunt in the dark of the night. Then rain fell."
    assert found.target[:6] in runs(found.prompt, 6), "as it stands in the prompt"
    told = encode(quote, tokenizer, replace(identity, prompt_version="v4"), reads_on=False)
    assert tokenizer.decode(told.target[2:-1]).endswith("of the night.")


def test_labels_are_those_of_a_truncated_prompt(tokenizer: Tokenizer, identity: Identity) -> None:
    filler = "Nothing is said of them here. " * 300
    long = replace(ANSWER, document=f"{filler}Owls hunt. {filler}")
    found = encode(long, tokenizer, replace(identity, prompt_version="v4"))
    assert found.answers.count(True) == 1
    begins = runs(found.prompt, 4).index(found.target[:4])
    assert tokenizer.decode(found.prompt[begins + 2 : begins + 6]).startswith(" Owls hunt.")
    assert found.prompt[found.ends[found.answers.index(True)]] == found.target[1]


def test_best_sentence_mark_is_not_the_end_of_the_one_before(tokenizer: Tokenizer, identity: Identity) -> None:
    best = replace(ANSWER, query="rain fell")
    found = encode(best, tokenizer, replace(identity, prompt_version="v4"))
    assert [tokenizer.decode([found.prompt[place]]) for place in found.ends] == ["A", "B", "C"]
    assert tokenizer.id_of(BEST) in found.prompt


def test_a_version_without_an_opening_has_none(tokenizer: Tokenizer, identity: Identity) -> None:
    found = encode(ANSWER, tokenizer, replace(identity, prompt_version="v1"))
    assert found.target == (*tokenizer.encode("Owls hunt. Then rain fell."), identity.end_id)
    assert found.ends == found.answers == ()


def test_an_answer_that_is_too_long_still_ends(tokenizer: Tokenizer, identity: Identity) -> None:
    long = replace(ANSWER, summary="owl " * 500)
    target = encode(long, tokenizer, replace(identity, prompt_version="v4")).target
    assert len(target) == identity.output_limit
    assert target[-1] == identity.end_id
    short = encode(long, tokenizer, replace(identity, prompt_version="v4"), longest=12).target
    assert short == target[:12]


def runs(ids: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    """All runs of so many ids."""
    return [ids[at : at + size] for at in range(len(ids))]
