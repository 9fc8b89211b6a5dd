"""Losses against plain references, on numbers and on tiny models."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from querygist.errors import ConfigurationError
from tests.unit.training.train.test_trainer import PAD, some, tiny
from training.config import DistillConfig, DpoConfig
from training.train import batches, distill, dpo, losses
from training.train.dpo import Choice
from training.train.encoding import Encoded
from training.train.sft import choosing, likelihood

pytestmark = pytest.mark.training

numbers = st.floats(-8, 8, width=32)


def logits(seed: int, rows: int = 5, width: int = 7) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(0, 50), st.floats(0.5, 4))
def test_the_divergence_is_the_formula_written_out(seed: int, temperature: float) -> None:
    student, teacher = logits(seed), logits(seed + 1)
    expected = 0.0
    for row in range(5):
        p, q = (torch.softmax(of[row] / temperature, 0) for of in (teacher, student))
        expected += sum(float(p[i] * math.log(p[i] / q[i])) for i in range(7))
    assert losses.divergence(student, teacher, temperature).item() == pytest.approx(temperature**2 * expected)
    assert losses.divergence(teacher, teacher, temperature).item() == pytest.approx(0, abs=1e-12)


@given(st.lists(st.tuples(numbers, st.booleans()), min_size=1, max_size=6))
def test_relevance_is_the_formula_written_out(found: list[tuple[float, bool]]) -> None:
    expected = sum(math.log(1 + math.exp(-logit if answers else logit)) for logit, answers in found)
    logit = torch.tensor([one for one, _ in found], dtype=torch.float64)
    answers = torch.tensor([one for _, one in found])
    assert losses.relevance(logit, answers).item() == pytest.approx(expected, abs=1e-9)


def test_choosing_adds_the_relevance_loss_and_learns_it() -> None:
    opening, weight = 5, 0.5
    one = [Encoded((7, 8, 9, 10, 11), (5, 12, PAD), ends=(1, 3), answers=(False, True))]
    model = tiny()
    objective, plain = choosing(PAD, opening, weight), likelihood(PAD)
    added = objective.loss(model, one) - plain.loss(model, one)
    hidden = model.get_decoder()(input_ids=torch.tensor([[7, 8, 9, 10, 11]])).last_hidden_state[0]
    rows = model.get_output_embeddings().weight
    logit = hidden[[1, 3]] @ (rows[opening] - rows[PAD])
    torch.testing.assert_close(added, weight * losses.relevance(logit, torch.tensor([False, True])))
    optimizer = torch.optim.AdamW([weights for weights in model.parameters() if weights.requires_grad], lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        objective.loss(model, one).backward()
        optimizer.step()
    assert objective.loss(model, one) - plain.loss(model, one) < 0.9 * added
    bare = [Encoded((7, 8), (12, PAD))]
    torch.testing.assert_close(objective.loss(model, bare), plain.loss(model, bare))


def test_the_divergence_is_forward() -> None:
    """A student that leaves out what the teacher does is worse than one that does more."""
    teacher = torch.tensor([[0.0, 0.0, -20.0]])
    narrow, wide = torch.tensor([[0.0, -20.0, -20.0]]), torch.tensor([[0.0, 0.0, 0.0]])
    assert losses.divergence(narrow, teacher, 1.0) > losses.divergence(wide, teacher, 1.0)


@given(st.lists(numbers, min_size=1, max_size=5), st.floats(0.01, 2), st.floats(0, 0.49))
def test_the_preference_is_the_formula_written_out(margins: list[float], beta: float, smoothing: float) -> None:
    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    expected = sum(
        -(1 - smoothing) * math.log(sigmoid(beta * m)) - smoothing * math.log(sigmoid(-beta * m)) for m in margins
    )
    found = losses.preference(torch.tensor(margins, dtype=torch.float64), beta=beta, label_smoothing=smoothing)
    assert found.item() == pytest.approx(expected)


def other(seed: int) -> Any:
    model = tiny()
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return model.eval()


@pytest.mark.parametrize("kl_weight", [0.3, 1.0])
def test_white_box_distillation_is_the_formula_row_by_row(kl_weight: float) -> None:
    student, teacher, rows = other(1), other(2), some(4)
    recipe = DistillConfig(kl_weight=kl_weight, temperature=2.0)
    found = distill.white_box(teacher, recipe, pad_id=PAD, seed=1).loss(student, rows)
    expected = 0.0
    for row in rows:
        ids = torch.tensor([row.prompt + row.target])
        theirs, ours = (model(input_ids=ids).logits[0].double() for model in (teacher, student))
        for place in range(len(row.prompt) - 1, ids.shape[1] - 1):
            nll = -torch.log_softmax(ours[place], 0)[ids[0, place + 1]]
            p, q = (torch.softmax(of[place] / 2.0, 0) for of in (theirs, ours))
            expected += (1 - kl_weight) * nll.item() + kl_weight * 4.0 * (p * (p / q).log()).sum().item()
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_on_policy_the_student_is_corrected_on_its_own_words() -> None:
    student, rows = other(1), some(4)
    recipe = DistillConfig(kl_weight=0.5, on_policy=1.0)
    objective = distill.white_box(student, recipe, pad_id=PAD, seed=1)
    torch.manual_seed(0)
    nll = losses.negative_log_likelihood(*batches.target_logits(student, batches.collate(rows, PAD)))
    assert objective.loss(student, rows).item() == pytest.approx(0.5 * nll.item(), rel=1e-4), "its own teacher"
    torch.manual_seed(0)
    loss = distill.white_box(other(2), recipe, pad_id=PAD, seed=1).loss(student, rows)
    assert loss.item() > 0.5 * nll.item()
    loss.backward()
    written = distill.continuation(student, rows[0], PAD, recipe)
    assert 1 <= len(written) <= len(rows[0].target) * 3 // 2 + 1


def test_a_teacher_with_another_vocabulary_is_refused(tmp_path: Path) -> None:
    def save(name: str, vocabulary: dict[str, int]) -> Path:
        inner = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
        PreTrainedTokenizerFast(tokenizer_object=inner).save_pretrained(tmp_path / name)
        return tmp_path / name

    ours = save("ours", {"a": 0, "b": 1}) / "tokenizer.json"
    distill.check_vocabulary(save("same", {"a": 0, "b": 1}), ours)
    with pytest.raises(ConfigurationError, match="has 3 tokens, the student 2, and 1 of the student's"):
        distill.check_vocabulary(save("other", {"a": 0, "c": 1, "b": 2}), ours)


def choices(seed: int = 1) -> list[Choice]:
    rows = some(9)
    return [Choice(one, Encoded(one.prompt, two.target)) for one, two in zip(rows[:4], rows[5:], strict=True)]


def log_likelihood(model: Any, one: Encoded) -> tuple[float, int]:
    ids = torch.tensor([one.prompt + one.target])
    each = torch.log_softmax(model(input_ids=ids).logits[0].double(), -1)
    places = range(len(one.prompt) - 1, ids.shape[1] - 1)
    return sum(each[place, ids[0, place + 1]].item() for place in places), len(one.target)


def test_the_dpo_objective_is_the_formula_pair_by_pair(tmp_path: Path) -> None:
    reference, policy = other(1), other(2)
    found = dpo.with_reference(reference, choices(), PAD, tmp_path)
    again = dpo.with_reference(policy, choices(), PAD, tmp_path)
    assert found == again, "a resumed run keeps the reference of its beginning"
    recipe = DpoConfig(beta=0.3, label_smoothing=0.1, rpo_alpha=0.2)
    expected = 0.0
    for one in choices():
        (chosen, tokens), (rejected, _) = log_likelihood(policy, one.chosen), log_likelihood(policy, one.rejected)
        before = log_likelihood(reference, one.chosen)[0] - log_likelihood(reference, one.rejected)[0]
        margin = torch.tensor([chosen - rejected - before])
        expected += losses.preference(margin, beta=0.3, label_smoothing=0.1).item() - 0.2 * chosen / tokens
    objective = dpo.preference(recipe, PAD)
    assert objective.loss(policy, found).item() == pytest.approx(expected, rel=1e-4)
    assert objective.units(found) == 4


def test_at_its_beginning_the_policy_is_the_reference(tmp_path: Path) -> None:
    model = other(1)
    found = dpo.with_reference(model, choices(), PAD, tmp_path)
    loss = dpo.preference(DpoConfig(rpo_alpha=0, label_smoothing=0), PAD).loss(model, found)
    assert loss.item() == pytest.approx(len(found) * math.log(2), rel=1e-5)
