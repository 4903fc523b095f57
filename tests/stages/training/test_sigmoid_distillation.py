"""Distillation of independent probabilities: by brute force in float64, and at extremes."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from stages.labelling.concept_matching import match_concepts
from stages.training.sigmoid_distillation import sigmoid_distillation

TEMPERATURE, BIAS = 0.1, -3.0


def unit(count: int, width: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, width, generator=generator, dtype=torch.float64), dim=1)


def stored(teacher: torch.Tensor, concepts: torch.Tensor, k: int) -> tuple[torch.Tensor, ...]:
    """What `rc label` stores of a teacher's features."""
    matches = match_concepts(teacher, concepts, TEMPERATURE, k, bias=BIAS)
    return matches.indices, matches.probabilities, matches.residual


def yes_or_no(p: float, q: float) -> float:
    return sum(a * math.log(a / b) for a, b in ((p, q), (1 - p, 1 - q)) if a > 0)


def brute_force(
    student: torch.Tensor, teacher: torch.Tensor, concepts: torch.Tensor, k: int
) -> float:
    """The mean over regions, concept by concept; the others as the one question they are."""
    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        q, p = (
            [1 / (1 + math.exp(-(float(c @ f) / TEMPERATURE + BIAS))) for c in concepts]
            for f in (s, t)
        )
        order = sorted(range(len(p)), key=lambda c, p=p: -p[c])
        total += sum(yes_or_no(p[c], q[c]) for c in order[:k])
        if rest := order[k:]:
            any_other = (1 - math.prod(1 - v[c] for c in rest) for v in (p, q))
            total += yes_or_no(*any_other)
    return total / len(student)


@pytest.mark.parametrize("k", [1, 2, 6, 9])
def test_it_equals_the_loop_over_concepts(k: int) -> None:
    student, teacher, concepts = unit(4, 8, 1), unit(4, 8, 2), unit(9, 8, 3)
    actual = sigmoid_distillation(
        student, concepts, stored(teacher, concepts, k), TEMPERATURE, BIAS
    )
    assert actual.item() == pytest.approx(brute_force(student, teacher, concepts, k), rel=1e-8)


def test_fewer_stored_concepts_never_give_more_than_the_full_divergence() -> None:
    student, teacher, concepts = unit(30, 8, 4), unit(30, 8, 5), unit(20, 8, 6)
    losses = [
        sigmoid_distillation(student, concepts, stored(teacher, concepts, k), TEMPERATURE, BIAS)
        for k in (1, 3, 10, 20)
    ]
    assert losses == sorted(losses)


@pytest.mark.parametrize("k", [1, 4, 9])
def test_it_and_its_gradient_are_zero_if_student_and_teacher_agree(k: int) -> None:
    features, concepts = unit(5, 8, 7), unit(9, 8, 8)
    student = features.clone().requires_grad_()
    loss = sigmoid_distillation(student, concepts, stored(features, concepts, k), TEMPERATURE, BIAS)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-12


@pytest.mark.parametrize("k", [1, 3])
def test_its_gradient_is_right(k: int) -> None:
    student, concepts = unit(3, 6, 9).requires_grad_(), unit(7, 6, 10)
    teacher = stored(unit(3, 6, 11), concepts, k)
    assert torch.autograd.gradcheck(
        lambda rows: sigmoid_distillation(rows, concepts, teacher, TEMPERATURE, BIAS), (student,)
    )


@pytest.mark.parametrize("bias", [-200.0, 0.0, 200.0])
def test_it_is_finite_in_single_precision_where_both_are_certain_and_opposite(bias: float) -> None:
    concepts = F.normalize(torch.eye(4) + 0.1, dim=1)
    student = (-concepts[:2]).clone().requires_grad_()
    ids, ones = torch.tensor([[0], [1]]), torch.ones(2, 1)
    for residual in (torch.zeros(2), torch.ones(2)):
        loss = sigmoid_distillation(student, concepts, (ids, ones, residual), 0.01, bias)
        loss.backward()
        assert torch.isfinite(loss)
        assert student.grad is not None
        assert torch.isfinite(student.grad).all()
