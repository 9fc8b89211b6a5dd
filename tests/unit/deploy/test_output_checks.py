"""The verdicts on what engines write."""

from dataclasses import replace

import pytest

from deploy.gpu import output_checks
from deploy.gpu.context import AcceptanceContext
from deploy.gpu.step_runner import StepFailed
from querygist.errors import ConfigurationError
from querygist.prompting.tokenizer import Tokenizer
from tests.conftest import first_sentences_of_document
from tests.unit.deploy.conftest import Reply, ScriptEngines


def test_smoke_compares_batches_with_single_requests(context: AcceptanceContext, script_engines: ScriptEngines) -> None:
    script_engines(lookahead=lambda ids: ids[:5])
    measured = output_checks.smoke(context)
    assert measured["batch_32"] == {"requests": 32, "same_as_alone": 1.0}
    assert list(measured) == ["batch_1", "batch_8", "batch_32"]


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (lambda ids: [], "answer 0 of 1 has 0 tokens"),
        (lambda ids: [10**6], "some not in the vocabulary"),
        (lambda ids: ids[:1] * 500, "has 500 tokens, all in the vocabulary; 1 to 80 were wanted"),
    ],
    ids=["empty", "unknown ids", "too long"],
)
def test_smoke_fails_on_broken_answers(
    context: AcceptanceContext, script_engines: ScriptEngines, reply: Reply, detail: str
) -> None:
    script_engines(lookahead=reply)
    with pytest.raises(StepFailed, match=detail):
        output_checks.smoke(context)


def test_equality_passes_and_counts_drafts(context: AcceptanceContext, script_engines: ScriptEngines) -> None:
    script_engines(lookahead=lambda ids: ids[:5], plain=lambda ids: ids[:5])
    measured = output_checks.equality(context)
    assert measured["compared"]["engine without"] == {"differing": 0.0, "first_differing_token": {}}
    assert (measured["drafted"], measured["accepted"]) == (3 * 39, 3 * 5)


def test_equality_fails_and_says_where_rows_differ(context: AcceptanceContext, script_engines: ScriptEngines) -> None:
    script_engines(lookahead=lambda ids: ids[:5], plain=lambda ids: ids[:4])
    with pytest.raises(StepFailed, match=r"100\.0% of 3 rows are not those of engine without \(at most 5%\)") as failed:
        output_checks.equality(context)
    assert failed.value.measured["compared"]["engine without"]["first_differing_token"] == {"0": 4, "1": 4, "2": 4}


def test_rouge_of_equal_answers_loses_nothing(
    context: AcceptanceContext, script_engines: ScriptEngines, tokenizer: Tokenizer
) -> None:
    quoting = first_sentences_of_document(tokenizer)
    script_engines(lookahead=quoting, fp16=quoting)
    measured = output_checks.rouge(context)
    assert measured["rouge2"]["loss"].mean == 0
    assert measured["rouge2"]["fp8"] == measured["rouge2"]["fp16"] > 0


def test_rouge_fails_when_fp8_loses_too_much(
    context: AcceptanceContext, script_engines: ScriptEngines, tokenizer: Tokenizer
) -> None:
    script_engines(lookahead=lambda ids: [260] * 5, fp16=first_sentences_of_document(tokenizer))
    with pytest.raises(StepFailed, match="points of ROUGE-2 on 3 rows"):
        output_checks.rouge(context)


def test_rouge_needs_rows_with_summaries(context: AcceptanceContext) -> None:
    without = replace(context, rows=[row | {"summary": ""} for row in context.rows])
    with pytest.raises(ConfigurationError, match="Give test rows: --rows"):
        output_checks.rouge(without)
