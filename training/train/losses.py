"""Losses of the training stages, as sums over examples. All shapes are [positions, vocabulary] or [pairs]."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, kl_div, log_softmax, logsigmoid


def negative_log_likelihood(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return cross-entropy with `labels` int64[positions], summed, in nats."""
    return cross_entropy(logits, labels, reduction="sum")


def relevance(logits: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Return binary cross-entropy of float[sentences] with `answers` bool[sentences], summed, in nats."""
    return binary_cross_entropy_with_logits(logits, answers.to(logits.dtype), reduction="sum")


def divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return T^2 KL(teacher || student) of logits softened by T, summed (Hinton et al., 2015, section 2).

    The square keeps the gradient's size from shrinking with the temperature. Forward KL: the student must give weight
    to all that the teacher does.
    """
    log_teacher, log_student = (log_softmax(logits / temperature, dim=-1) for logits in (teacher, student))
    return temperature**2 * kl_div(log_student, log_teacher, reduction="sum", log_target=True)


def preference(margins: torch.Tensor, *, beta: float, label_smoothing: float) -> torch.Tensor:
    """Return the loss of direct preference optimization (Rafailov et al., 2023, equation 7), summed over pairs.

    `margins` float[pairs]: how much more than the reference model the policy prefers the chosen answer, in nats:
    [log pi(chosen) - log pi(rejected)] - [log ref(chosen) - log ref(rejected)]. `label_smoothing`: the share of pairs
    that may be labelled the wrong way round (conservative DPO).
    """
    return -((1 - label_smoothing) * logsigmoid(beta * margins) + label_smoothing * logsigmoid(-beta * margins)).sum()
