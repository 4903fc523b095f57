"""The losses by hand, by brute force in float64, and at extreme temperatures."""

from __future__ import annotations

import math

import pytest
import torch

from stages.training.losses import (
    crop_distillation,
    distillation,
    image_text_contrastive,
    region_text_contrastive,
)

SHARPEST = 0.01


def unit(*rows: list[float]) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.tensor(rows), dim=1)


def random_unit(count: int, width: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, width, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(rows, dim=1)


def softmax(values: list[float]) -> list[float]:
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


def dot(a: torch.Tensor, b: torch.Tensor) -> float:
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def plain_contrastive(
    regions: torch.Tensor, texts: torch.Tensor, ids: list[int], temperature: float
) -> float:
    losses = []
    for i, region in enumerate(regions):
        shares = softmax([dot(region, text) / temperature for text in texts])
        own = sum(share for j, share in enumerate(shares) if ids[j] == ids[i])
        losses.append(-math.log(own))
    return sum(losses) / len(losses)


def plain_kl(
    teacher: torch.Tensor, regions: torch.Tensor, embeddings: torch.Tensor, temperature: float
) -> float:
    total = 0.0
    for row, region in zip(teacher.tolist(), regions, strict=True):
        student = softmax([dot(region, e) / temperature for e in embeddings])
        total += sum(p * math.log(p / q) for p, q in zip(row, student, strict=True) if p > 0)
    return total / len(regions)


def kept(teacher: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    top = teacher.topk(k, dim=1)
    return top.indices, top.values, 1 - top.values.sum(dim=1)


def test_contrastive_of_two_regions_matches_a_computation_by_hand() -> None:
    regions = unit([1.0, 0.0], [0.0, 1.0])
    loss = region_text_contrastive(regions, regions, torch.tensor([7, 9]), temperature=1.0)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_two_regions_of_one_concept_do_not_repel_each_other() -> None:
    regions = unit([1.0, 0.0], [1.0, 0.0])
    loss = region_text_contrastive(regions, regions, torch.tensor([7, 7]), SHARPEST)
    assert loss.item() == pytest.approx(0.0, abs=1e-6)


def test_the_contrastive_loss_of_a_single_region_is_zero() -> None:
    region = unit([0.6, 0.8])
    assert region_text_contrastive(region, -region, torch.tensor([3]), SHARPEST).item() == 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("temperature", [0.05, 0.3, 1.0])
def test_contrastive_equals_the_loop_over_regions(seed: int, temperature: float) -> None:
    ids = torch.randint(0, 4, (9,), generator=torch.Generator().manual_seed(seed))
    concepts = random_unit(4, 6, seed + 100)
    regions = random_unit(9, 6, seed)
    loss = region_text_contrastive(regions, concepts[ids], ids, temperature)
    expected = plain_contrastive(regions, concepts[ids], ids.tolist(), temperature)
    assert loss.item() == pytest.approx(expected, rel=1e-10)


def test_a_repeated_concept_adds_the_log_of_its_count_to_its_logit() -> None:
    concepts = random_unit(3, 5, 1)
    regions = random_unit(6, 5, 2)
    ids = torch.tensor([0, 0, 0, 1, 1, 2])
    biased = regions @ concepts.T / 0.2 + torch.tensor([3.0, 2.0, 1.0]).log()
    expected = torch.nn.functional.cross_entropy(biased, ids)
    loss = region_text_contrastive(regions, concepts[ids], ids, 0.2)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_columns_can_be_the_concepts_once_each() -> None:
    concepts, regions = random_unit(5, 6, 1), random_unit(7, 6, 2)
    ids = torch.tensor([4, 1, 1, 4, 4, 0, 1])
    columns = torch.tensor([0, 1, 4])
    expected = 0.0
    for i, region in enumerate(regions):
        shares = softmax([dot(region, concepts[c]) / 0.2 for c in (0, 1, 4)])
        expected -= math.log(shares[[0, 1, 4].index(int(ids[i]))]) / 7
    loss = region_text_contrastive(regions, concepts[columns], ids, 0.2, columns)
    assert loss.item() == pytest.approx(expected, rel=1e-10)


def test_more_columns_never_make_the_loss_smaller() -> None:
    concepts, regions = random_unit(5, 6, 1), random_unit(4, 6, 2)
    ids, more = torch.tensor([0, 1, 2, 1]), torch.tensor([0, 1, 2, 1, 3, 4])
    alone = region_text_contrastive(regions, concepts[ids], ids, 0.2)
    assert region_text_contrastive(regions, concepts[more], ids, 0.2, more) > alone


def test_contrastive_is_finite_at_the_sharpest_temperature() -> None:
    regions = unit([1.0, 0.0], [-1.0, 0.0]).requires_grad_()
    loss = region_text_contrastive(regions, -regions.detach(), torch.tensor([0, 1]), SHARPEST)
    loss.backward()
    assert loss.item() == pytest.approx(200)
    assert regions.grad is not None
    assert torch.isfinite(regions.grad).all()


def test_contrastive_gradient_is_right() -> None:
    concepts, ids = random_unit(3, 4, 3), torch.tensor([0, 2, 0, 1])
    regions = random_unit(4, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda r: region_text_contrastive(r, concepts[ids], ids, 0.5), (regions,)
    )


@pytest.mark.parametrize("seed", range(5))
def test_distillation_of_all_concepts_is_the_full_divergence(seed: int) -> None:
    regions, concepts = random_unit(5, 6, seed), random_unit(8, 6, seed + 50)
    teacher = (random_unit(5, 6, seed + 99) @ concepts.T / 0.1).softmax(dim=1)
    loss = distillation(regions, concepts, kept(teacher, 8), 0.1)
    assert loss.item() == pytest.approx(plain_kl(teacher, regions, concepts, 0.1), rel=1e-9)


@pytest.mark.parametrize("k", [1, 3, 7])
def test_distillation_of_k_concepts_treats_all_others_as_one_event(k: int) -> None:
    regions, concepts = random_unit(4, 6, k), random_unit(8, 6, k + 50)
    teacher = (random_unit(4, 6, k + 99) @ concepts.T / 0.2).softmax(dim=1)
    ids, probabilities, residual = kept(teacher, k)
    expected = 0.0
    for i in range(4):
        student = softmax([dot(regions[i], c) / 0.2 for c in concepts])
        inside = ids[i].tolist()
        for p, j in zip(probabilities[i].tolist(), inside, strict=True):
            expected += p * math.log(p / student[j]) / 4
        rest = sum(q for j, q in enumerate(student) if j not in inside)
        expected += residual[i].item() * math.log(residual[i].item() / rest) / 4
    loss = distillation(regions, concepts, (ids, probabilities, residual), 0.2)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_distillation_never_exceeds_the_full_divergence(k: int) -> None:
    regions, concepts = random_unit(30, 6, k), random_unit(9, 6, k + 50)
    teacher = (random_unit(30, 6, k + 99) @ concepts.T / 0.1).softmax(dim=1)
    lumped = distillation(regions, concepts, kept(teacher, k), 0.1)
    assert 0 <= lumped.item() <= plain_kl(teacher, regions, concepts, 0.1)


@pytest.mark.parametrize("k", [1, 4, 8])
def test_distillation_and_its_gradient_are_zero_if_student_and_teacher_agree(k: int) -> None:
    regions, concepts = random_unit(5, 6, 1).requires_grad_(), random_unit(8, 6, 2)
    teacher = (regions.detach() @ concepts.T / 0.05).softmax(dim=1)
    loss = distillation(regions, concepts, kept(teacher, k), 0.05)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert regions.grad is not None
    assert regions.grad.abs().max() < 1e-12


@pytest.mark.parametrize("k", [1, 2])
def test_distillation_is_finite_where_student_and_teacher_are_opposite(k: int) -> None:
    concepts = unit([1.0, 0.0], [-1.0, 0.0])
    regions = unit([1.0, 0.0]).requires_grad_()
    teacher = torch.tensor([[1]]), torch.tensor([[1.0]]), torch.tensor([0.0])
    if k == 2:
        teacher = torch.tensor([[1, 0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([0.0])
    loss = distillation(regions, concepts, teacher, SHARPEST)
    loss.backward()
    assert loss.item() == pytest.approx(200)
    assert regions.grad is not None
    assert torch.isfinite(regions.grad).all()


def test_distillation_over_a_pool_of_one_concept_is_zero() -> None:
    regions = unit([1.0, 0.0], [0.0, 1.0]).requires_grad_()
    teacher = torch.zeros(2, 1, dtype=torch.int64), torch.ones(2, 1), torch.zeros(2)
    loss = distillation(regions, unit([0.6, 0.8]), teacher, SHARPEST)
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize("k", [2, 8])
def test_distillation_gradient_is_right(k: int) -> None:
    concepts = random_unit(8, 4, 3)
    teacher = kept((random_unit(3, 4, 9) @ concepts.T / 0.5).softmax(dim=1), k)
    regions = random_unit(3, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda r: distillation(r, concepts, teacher, 0.5), (regions,))


@pytest.mark.parametrize("seed", range(5))
def test_image_text_equals_the_loop_over_both_directions(seed: int) -> None:
    images, texts = random_unit(6, 5, seed), random_unit(6, 5, seed + 10)
    expected = 0.0
    for i in range(6):
        row = softmax([dot(images[i], text) / 0.1 for text in texts])
        column = softmax([dot(image, texts[i]) / 0.1 for image in images])
        expected -= (math.log(row[i]) + math.log(column[i])) / 12
    loss = image_text_contrastive(images, texts, 0.1)
    assert loss.item() == pytest.approx(expected, rel=1e-10)


def test_image_text_loss_is_symmetric() -> None:
    images, texts = random_unit(4, 5, 0), random_unit(4, 5, 1)
    assert torch.allclose(
        image_text_contrastive(images, texts, 0.1), image_text_contrastive(texts, images, 0.1)
    )


def test_image_text_is_finite_when_every_caption_is_wrong() -> None:
    images = unit([1.0, 0.0], [-1.0, 0.0]).requires_grad_()
    loss = image_text_contrastive(images, -images.detach(), SHARPEST)
    loss.backward()
    assert loss.item() == pytest.approx(200)
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()


def test_a_learned_temperature_receives_a_gradient() -> None:
    temperature = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    image_text_contrastive(random_unit(4, 5, 0), random_unit(4, 5, 1), temperature).backward()
    assert temperature.grad is not None
    assert temperature.grad.item() != 0


@pytest.mark.parametrize("seed", range(3))
def test_crop_distillation_is_the_mean_cosine_distance(seed: int) -> None:
    regions, crops = random_unit(7, 5, seed), random_unit(7, 5, seed + 9)
    distances = [1 - dot(a, b) for a, b in zip(regions, crops, strict=True)]
    loss = crop_distillation(regions, crops)
    assert loss.item() == pytest.approx(sum(distances) / 7, rel=1e-12)
    assert crop_distillation(crops, crops).item() == pytest.approx(0, abs=1e-12)
    assert crop_distillation(-crops, crops).item() == pytest.approx(2)


def test_crop_distillation_gradient_is_right() -> None:
    crops = random_unit(4, 5, 1)
    regions = random_unit(4, 5, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda r: crop_distillation(r, crops), (regions,))


def test_each_loss_is_computed_where_its_features_are() -> None:
    rows = torch.empty(4, 5, device="meta")  # this device takes no tensors of another one
    ids = torch.empty(4, 2, dtype=torch.int64, device="meta")
    teacher = ids, torch.empty(4, 2, device="meta"), torch.empty(4, device="meta")
    losses = (
        region_text_contrastive(rows, rows, ids[:, 0], 0.1),
        distillation(rows, rows, teacher, 0.1),
        crop_distillation(rows, rows),
        image_text_contrastive(rows, rows, 0.1),
    )
    assert [(loss.device.type, loss.shape) for loss in losses] == [("meta", ())] * 4
