"""pytest tests/unit/training/test_batches.py"""

from dataclasses import replace

from service.engines.base import Identity
from service.prompt import NO_ANSWER, VERSIONS
from service.tokenization import Tokenizer
from training.batches import encode
from training.dataset import Example

ANSWER = Example("a", "s", "who hunts", "Owls hunt. Mice hide.", "Owls hunt.", 10, "positive", derived=False)
REFUSAL = replace(ANSWER, document="Trains stop here.", summary=NO_ANSWER, kind="unrelated")


def test_answers_begin_with_the_opening_and_refusals_do_not(tokenizer: Tokenizer, identity: Identity) -> None:
    identity = replace(identity, prompt_version="v3")
    first = tokenizer.id_of(VERSIONS["v3"].opening)
    answer, refusal = (encode(one, tokenizer, identity).target for one in (ANSWER, REFUSAL))
    assert answer == (first, *tokenizer.encode(ANSWER.summary), identity.end_id)
    assert refusal == (*tokenizer.encode(NO_ANSWER), identity.end_id)
    assert first in encode(ANSWER, tokenizer, identity).prompt, "drafts after it come from the marked sentence"
    assert tokenizer.decode(answer[:-1]) == ANSWER.summary


def test_a_version_without_an_opening_has_none(tokenizer: Tokenizer, identity: Identity) -> None:
    answer = encode(ANSWER, tokenizer, replace(identity, prompt_version="v1")).target
    assert answer == (*tokenizer.encode(ANSWER.summary), identity.end_id)


def test_an_answer_that_is_too_long_still_ends(tokenizer: Tokenizer, identity: Identity) -> None:
    long = replace(ANSWER, summary="owl " * 500)
    target = encode(long, tokenizer, replace(identity, prompt_version="v3")).target
    assert len(target) == identity.output_limit
    assert target[-1] == identity.end_id
