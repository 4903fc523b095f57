"""Items 11, 12 and 15: the losses over regions, written out as loops over Python numbers."""

from __future__ import annotations

import math

import pytest
import torch

from stages.models.similarity import Similarity
from stages.train import Train
from stages.training.losses import (
    distillation,
    image_text_contrastive,
    region_text_contrastive,
)
from stages.training.student_training import Objective

TEMPERATURE = 0.01


def unit_rows(count: int, width: int, seed: int, near: float = 0.2) -> torch.Tensor:
    """Unit vectors of cosines about as CLIP's: `near` apart from one common direction."""
    rng = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, width, generator=rng, dtype=torch.float64) * near
    rows[:, 0] += 1.0
    return torch.nn.functional.normalize(rows, dim=1)


def log_shares(region: torch.Tensor, texts: torch.Tensor) -> list[float]:
    """Logarithms of the softmax of cosines over the temperature."""
    logits = [
        sum(a * b for a, b in zip(region.tolist(), text.tolist(), strict=True)) / TEMPERATURE
        for text in texts
    ]
    top = max(logits)
    total = top + math.log(sum(math.exp(value - top) for value in logits))
    return [value - total for value in logits]


def everything(targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The whole distributions (N, C) of a teacher, in the form that is stored."""
    top = targets.topk(targets.shape[1], dim=1)
    return top.indices, top.values, 1 - top.values.sum(dim=1)


@pytest.mark.parametrize("seed", range(3))
def test_item_11_distillation_is_the_teachers_divergence_from_the_student(seed: int) -> None:
    concepts = unit_rows(40, 12, seed)
    regions, teachers = unit_rows(7, 12, seed + 10), unit_rows(7, 12, seed + 20)
    expected, crossed, entropies = 0.0, 0.0, 0.0
    for region, teacher in zip(regions, teachers, strict=True):
        log_p, log_q = log_shares(teacher, concepts), log_shares(region, concepts)
        for a, b in zip(log_p, log_q, strict=True):
            expected += math.exp(a) * (a - b) / 7
            crossed -= math.exp(a) * b / 7
            entropies -= math.exp(a) * a / 7
    targets = (teachers @ concepts.T / TEMPERATURE).softmax(dim=1)
    loss = distillation(regions, concepts, everything(targets), TEMPERATURE).item()
    assert loss == pytest.approx(expected, rel=1e-9)
    assert loss == pytest.approx(crossed - entropies, rel=1e-9)


def test_item_11_its_gradient_is_that_of_cross_entropy_to_soft_labels() -> None:
    concepts, teachers = unit_rows(30, 8, 1), unit_rows(5, 8, 2)
    targets = (teachers @ concepts.T / TEMPERATURE).softmax(dim=1)
    ours, plain = (unit_rows(5, 8, 3).requires_grad_() for _ in range(2))
    distillation(ours, concepts, everything(targets), TEMPERATURE).backward()
    cross = torch.nn.functional.cross_entropy(plain @ concepts.T / TEMPERATURE, targets)
    cross.backward()
    torch.testing.assert_close(ours.grad, plain.grad)


@pytest.mark.parametrize("seed", range(3))
def test_item_12_contrastive_counts_a_concept_as_often_as_it_occurs(seed: int) -> None:
    concepts, regions = unit_rows(6, 12, seed), unit_rows(20, 12, seed + 5)
    ids = torch.randint(0, 6, (20,), generator=torch.Generator().manual_seed(seed))
    expected = 0.0
    for i, region in enumerate(regions):
        shares = log_shares(region, concepts[ids])
        own = [share for j, share in enumerate(shares) if ids[j] == ids[i]]
        expected -= math.log(sum(math.exp(share) for share in own)) / 20
    actual = region_text_contrastive(regions, concepts[ids], ids, TEMPERATURE)
    assert actual.item() == pytest.approx(expected, rel=1e-9)


def test_item_12_duplicates_are_a_bias_of_the_logarithm_of_their_count() -> None:
    concepts, regions = unit_rows(4, 12, 1), unit_rows(10, 12, 2)
    ids = torch.tensor([0, 0, 0, 0, 0, 1, 1, 2, 2, 3])
    counts = torch.bincount(ids).double()
    logits = regions @ concepts.T / TEMPERATURE + counts.log()
    expected = torch.nn.functional.cross_entropy(logits, ids)
    actual = region_text_contrastive(regions, concepts[ids], ids, TEMPERATURE)
    torch.testing.assert_close(actual, expected)


def test_item_12_the_variants_are_off_by_default() -> None:
    stage = Train()
    assert (stage.contrastive_over, stage.negatives) == ("occurrences", "batch")
    assert (Objective().over, Objective().negatives) == ("occurrences", "batch")


@pytest.mark.parametrize("temperature", [0.01, 0.05])
def test_item_13_image_text_is_the_mean_of_both_directions(temperature: float) -> None:
    images, texts = unit_rows(9, 16, 1), unit_rows(9, 16, 2)
    expected = 0.0
    for i in range(9):
        row = [float(images[i] @ t) / temperature for t in texts]
        column = [float(image @ texts[i]) / temperature for image in images]
        for logits in (row, column):
            top = max(logits)
            total = top + math.log(sum(math.exp(v - top) for v in logits))
            expected += (total - logits[i]) / 18
    actual = image_text_contrastive(images, texts, temperature)
    assert actual.item() == pytest.approx(expected, rel=1e-9)


def test_item_15_every_loss_has_weight_one_and_the_temperature_of_clips_weights_001() -> None:
    stage = Train()
    weights = (stage.contrastive_weight, stage.distillation_weight, stage.image_text_weight)
    assert weights == (1.0, 1.0, 1.0)
    assert stage.temperature == "teacher"
    assert Similarity(math.log(100)).temperature == TEMPERATURE  # CLIP's scale ends at 100
    objective = stage.objective()
    assert objective.temperature == TEMPERATURE
    assert (objective.contrastive, objective.distillation, objective.image_text) == (1, 1, 1)
