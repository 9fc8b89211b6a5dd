"""A real gateway on the fake engine, asked by the evaluation."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import pytest

from querygist.engines.fake import FakeEngine
from querygist.errors import ConfigurationError, EngineUnavailable
from querygist.prompting.tokenizer import Tokenizer
from tests.conftest import Live
from training.data.examples import Example
from training.generate.generator import Sampling
from training.generate.http import HttpGenerator

OWLS = Example("1", "s", "owls", "Owls hunt at night. Their eyes are big. So it is.", "", 20, "positive", derived=False)
DOGS = replace(OWLS, id="2", query="dogs", document="Dogs bark at cats, which run away. Nobody knows why. So it is.")


@pytest.fixture
def generator(live: Live) -> Generator[HttpGenerator, None, None]:
    with closing(HttpGenerator(live.url)) as one:
        yield one


def test_summaries_come_in_order_with_what_they_cost(generator: HttpGenerator, tokenizer: Tokenizer) -> None:
    [[owls], [dogs]] = generator.generate([OWLS, DOGS])
    assert owls.text == "Owls hunt at night. Their eyes are big."
    assert dogs.text == "Dogs bark at cats, which run away. Nobody knows why."
    assert owls.answerable
    assert owls.tokens == len(tokenizer.encode(owls.text)) + 2, "and the opening and the label"
    assert owls.seconds is not None
    assert owls.seconds > 0
    assert owls.passes is None


def test_the_requested_length_is_asked_for(generator: HttpGenerator) -> None:
    [[short]] = generator.generate([replace(OWLS, max_words=5)])
    assert short.text == "Owls hunt at night."


def test_a_refusal(generator: HttpGenerator) -> None:
    [[refusal]] = generator.generate([replace(OWLS, query="trains")])
    assert (refusal.text, refusal.answerable) == ("", False)


def test_time_from_memory_is_no_time_of_the_model(generator: HttpGenerator) -> None:
    [[first]], [[again]] = generator.generate([OWLS]), generator.generate([OWLS])
    assert again.text == first.text
    assert again.seconds is None


def test_several_at_once_are_in_order_and_not_timed(live: Live) -> None:
    examples = [replace(OWLS, id=str(i), document=f"Owl {i} hunts at night. It sees well.") for i in range(7)]
    with closing(HttpGenerator(live.url, concurrency=3)) as generator:
        written = [one for [one] in generator.generate(examples)]
    assert [one.text for one in written] == [example.document for example in examples]
    assert {one.seconds for one in written} == {None}


def test_a_dead_engine_is_an_error_and_never_an_extract(live: Live, fake: FakeEngine) -> None:
    fake.failing = True
    with (
        closing(HttpGenerator(live.url, deadline=0.5)) as generator,
        pytest.raises(EngineUnavailable, match="answered 503 for 1"),
    ):
        list(generator.generate([OWLS]))


def test_a_request_that_the_service_refuses(generator: HttpGenerator) -> None:
    with pytest.raises(ConfigurationError, match="answered 422 for 1") as caught:
        list(generator.generate([replace(OWLS, max_words=500)]))
    assert "hunt" not in caught.value.detail


def test_nobody_there() -> None:
    with (
        closing(HttpGenerator("http://127.0.0.1:9", deadline=0.2)) as generator,
        pytest.raises(EngineUnavailable, match="Is Querygist running there"),
    ):
        list(generator.generate([OWLS]))


def test_it_does_not_sample(generator: HttpGenerator) -> None:
    with pytest.raises(ConfigurationError, match=r"temperature 0\.7"):
        list(generator.generate([OWLS], Sampling(2, 0.7)))
