"""Items 13 to 16: a step of student training, alone and on two ranks."""

from __future__ import annotations

import functools
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from stages.propose import Propose
from stages.seeds import generator
from stages.train import Train
from stages.training.batch_gradient import batch_gradient
from stages.training.region_batches import RegionBatch, RegionView, collate
from stages.training.regions import Regions
from stages.training.student_training import Objective, StudentTraining, make_trainable
from tests.parity import nets, plain
from tests.stages.training.ranks import on_ranks
from tests.stages.training.terms import terms_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SIDE, CONCEPTS, TEMPERATURE = 64, 5, 0.1
CAPTIONS = ("a dog", "two red cats", "a bus on a street", "a green apple")
WHOLE = torch.tensor([0.0, 0.0, SIDE, SIDE])


def batch_of(images: Sequence[int]) -> RegionBatch:
    """Some of four images of equal size, two regions each."""
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randn(4, 3, SIDE, SIDE, generator=rng)
    corners = torch.rand(4, 2, 2, 2, generator=rng).sort(dim=2).values * SIDE
    targets = torch.rand(4, 2, CONCEPTS, generator=rng).softmax(dim=2)
    chosen = list(images)
    best = targets[chosen].flatten(0, 1).topk(CONCEPTS, dim=1)
    return RegionBatch(
        pixels[chosen],
        [(SIDE, SIDE)] * len(chosen),
        [corners[b].flatten(1) for b in chosen],
        best.indices[:, 0],
        (best.indices, best.values, torch.zeros(len(best.values))),
        [CAPTIONS[b] for b in chosen],
    )


def student(folder: Path, **objective: Any) -> StudentTraining:
    folder.mkdir(parents=True, exist_ok=True)
    clip = nets.thin(folder, SIDE).float()
    make_trainable(clip, "reference")
    rng = torch.Generator().manual_seed(9)
    vectors = torch.randn(CONCEPTS, clip.width, generator=rng)
    goal = Objective(temperature=TEMPERATURE, **objective)
    return StudentTraining(clip, vectors, goal, "float32")


def gradients(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}


def step(
    folder: Path, images: Sequence[int], **objective: Any
) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    """Losses of a batch of which this rank has `images`; and the gradient of each parameter."""
    learner = student(folder, **objective)
    terms = batch_gradient(learner, [batch_of(images)], lambda *keys: nullcontext())
    return terms, gradients(learner.module)


OBJECTIVES: dict[str, dict[str, Any]] = {
    "image-text": {"contrastive": 0.0, "distillation": 0.0},
    "regions": {"image_text": 0.0},
    "gathered": {"image_text": 0.0, "negatives": "gathered"},
}
OF_RANKS = ((0, 1, 2), (3,))


def _share(folder: Path, rank: int) -> dict[str, Any]:
    return {
        name: step(folder / f"{name}-{rank}", OF_RANKS[rank], **objective)
        for name, objective in OBJECTIVES.items()
    }


@pytest.fixture(scope="module")
def shares(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two ranks computes, by objective; processes start slowly."""
    folder = tmp_path_factory.mktemp("ranks")
    return on_ranks(functools.partial(_share, folder / "nets"), folder / "answers")


def close(actual: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert expected.keys() == actual.keys()
    largest = max(float(g.abs().max()) for g in expected.values())
    assert largest > 1e-3
    for name, gradient in expected.items():
        torch.testing.assert_close(actual[name], gradient, rtol=1e-3, atol=1e-5 * largest)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["image-text", "gathered"])
def test_items_12_and_13_two_ranks_have_the_losses_and_the_gradient_of_one(
    tmp_path: Path, shares: list[dict[str, Any]], name: str
) -> None:
    terms, expected = step(tmp_path / "alone", range(4), **OBJECTIVES[name])
    for share in shares:
        assert share[name][0] == pytest.approx(terms, rel=1e-5)
        close(share[name][1], expected)
    fewer, _ = step(tmp_path / "fewer", OF_RANKS[0], **OBJECTIVES[name])
    assert abs(fewer["loss"] - terms["loss"]) > 1e-2  # more negatives make it harder


@pytest.mark.slow
def test_item_12_the_losses_of_regions_are_means_over_ranks_of_the_loss_of_each(
    tmp_path: Path, shares: list[dict[str, Any]]
) -> None:
    only = OBJECTIVES["regions"]
    each = [step(tmp_path / str(rank), images, **only) for rank, images in enumerate(OF_RANKS)]
    (one, of_one), (other, of_other) = each
    for share in shares:
        terms, actual = share["regions"]
        for name in ("contrastive", "distillation"):
            assert terms[name] == pytest.approx((one[name] + other[name]) / 2, rel=1e-5)
        assert terms["regions"] == 8
        close(actual, {name: (of_one[name] + of_other[name]) / 2 for name in of_one})
    together = shares[0]["gathered"][0]
    assert abs(shares[0]["regions"][0]["contrastive"] - together["contrastive"]) > 1e-2


@pytest.mark.slow
def test_item_12_over_concepts_each_concept_counts_once(tmp_path: Path) -> None:
    learner = student(tmp_path, over="concepts", image_text=0.0, distillation=0.0)
    batch = batch_of(range(4))
    terms = terms_of(learner, batch)
    with torch.no_grad():
        features = learner.module.encode_regions(batch.pixels, batch.boxes).double()
    distinct = sorted(set(batch.concept_ids.tolist()))
    assert len(distinct) < len(batch.concept_ids)
    rng = torch.Generator().manual_seed(9)
    concepts = torch.randn(CONCEPTS, features.shape[1], generator=rng).double()
    units = torch.nn.functional.normalize(concepts, dim=1)[distinct]
    logits = torch.nn.functional.normalize(features, dim=1) @ units.T / TEMPERATURE
    indices = torch.tensor([distinct.index(i) for i in batch.concept_ids.tolist()])
    expected = torch.nn.functional.cross_entropy(logits, indices)
    assert terms["contrastive"].item() == pytest.approx(expected.item(), rel=1e-4)


def whole_features(folder: Path, whole: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What a student takes for the whole of a smaller image, and that image's row written out."""
    learner = student(folder, whole=whole, contrastive=0.0, distillation=0.0)
    batch = batch_of((0, 1))
    height, width = 48, 32
    pixels = batch.pixels.clone()
    pixels[0, :, height:], pixels[0, :, :, width:] = 0.0, 0.0
    padded = RegionBatch(
        pixels,
        [(height, width), (SIDE, SIDE)],
        batch.boxes,
        batch.concept_ids,
        batch.teacher,
        batch.captions,
    )
    with torch.no_grad():
        images = learner.outputs(padded)["features"]
    weights = plain.weights_of(learner.module.network)
    dense = plain.trunk(weights, pixels.double())
    box = WHOLE if whole == "padded" else torch.tensor([0.0, 0.0, width, height])
    expected = [
        plain.region_feature(weights, dense[b], box if b == 0 else WHOLE, SIDE // 16, nets.HEADS)
        for b in range(2)
    ]
    return images.double(), torch.nn.functional.normalize(torch.stack(expected), dim=1)


@pytest.mark.parametrize("whole", ["padded", "image"])
def test_item_14_the_whole_image_is_the_padded_canvas_by_default(tmp_path, whole) -> None:
    assert Train().whole_image == "padded"
    actual, expected = whole_features(tmp_path, whole)
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_item_14_the_two_differ_where_there_is_padding(tmp_path: Path) -> None:
    padded, _ = whole_features(tmp_path, "padded")
    bare, _ = whole_features(tmp_path, "image")
    assert (padded[0] - bare[0]).abs().max() > 1e-3
    torch.testing.assert_close(padded[1], bare[1])


@pytest.mark.slow
def test_item_15_the_total_is_the_plain_sum(tmp_path: Path) -> None:
    terms = terms_of(student(tmp_path), batch_of(range(4)))
    total = terms["contrastive"] + terms["distillation"] + terms["image_text"]
    assert terms["loss"].item() == pytest.approx(total.item(), rel=1e-6)


def proposed(count: int, labelled: Sequence[int]) -> Regions:
    indices = np.array(labelled, dtype=np.int64)
    boxes = np.arange(4.0 * count, dtype=np.float32).reshape(count, 4)
    tops = np.zeros((len(indices), 1))
    return Regions(
        boxes,
        indices,
        boxes[indices],
        indices,
        tops.astype(np.int32),
        tops.astype(np.float32),
        tops[:, 0],
        np.ones(len(indices), np.bool_),
    )


def test_item_16_a_hundred_of_three_hundred_are_sampled_evenly_and_from_a_seed() -> None:
    assert (Propose().top_k, Train().regions_per_image) == (300, 100)
    assert Train().regions_among == "proposals"
    regions = proposed(300, range(300))
    counts = np.zeros(300)
    for epoch in range(400):
        sampled = regions.sampled(100, "proposals", generator(0, "look", epoch, 0, "a"))
        assert len(set(sampled.concept_ids.tolist())) == 100  # without replacement
        counts[sampled.concept_ids] += 1
    assert abs(counts.mean() - 400 / 3) < 1e-9
    spread = np.sqrt(400 * (1 / 3) * (2 / 3))
    assert (np.abs(counts - 400 / 3) < 5 * spread).all()
    twice = [regions.sampled(100, "proposals", generator(0, "look", 1, 0, "a")) for _ in range(2)]
    assert np.array_equal(twice[0].boxes, twice[1].boxes)
    other = regions.sampled(100, "proposals", generator(1, "look", 1, 0, "a"))
    assert not np.array_equal(twice[0].boxes, other.boxes)


def test_item_16_those_without_a_label_are_sampled_and_then_take_no_part() -> None:
    regions = proposed(300, range(0, 300, 3))  # a third is labelled
    sampled = [
        len(regions.sampled(100, "proposals", generator(0, e)).concept_ids) for e in range(200)
    ]
    assert abs(np.mean(sampled) - 100 / 3) < 1.5
    assert len(regions.sampled(100, "labelled", generator(0, 0)).concept_ids) == 100


def test_item_16_all_are_taken_where_there_are_fewer() -> None:
    regions = proposed(40, range(40))
    sampled = regions.sampled(100, "proposals", generator(0, 0))
    assert sorted(sampled.concept_ids.tolist()) == list(range(40))


def view_of(kept: Sequence[bool], first: int) -> RegionView:
    """An image whose regions are numbered from `first`, all labelled and sampled."""
    regions = replace(proposed(len(kept), range(len(kept))), kept=np.array(kept, dtype=bool))
    regions = replace(regions, concept_ids=np.arange(len(kept)) + first)
    return RegionView(torch.zeros(3, 8, 8), torch.from_numpy(regions.boxes), regions, None)


def test_item_10_unsure_regions_take_no_part_while_any_of_the_batch_is_sure() -> None:
    (batch,) = collate([[view_of([False, False], 0), view_of([False, True, True], 10)]])
    assert batch.concept_ids.tolist() == [11, 12]
    assert [len(boxes) for boxes in batch.boxes] == [0, 2]
    assert [len(teacher) for teacher in batch.teacher] == [2, 2, 2]


def test_item_10_all_regions_of_a_batch_take_part_where_none_is_sure() -> None:
    (batch,) = collate([[view_of([False, False], 0), view_of([False], 10)]])
    assert batch.concept_ids.tolist() == [0, 1, 10]
    assert [len(boxes) for boxes in batch.boxes] == [2, 1]


def test_item_10_that_fallback_is_the_default_and_does_not_change_what_is_sampled() -> None:
    assert Train().requires()["pseudo_labels"].fallback
    assert not Train(if_none_kept="none").requires()["pseudo_labels"].fallback
    some = proposed(60, range(0, 60, 2))
    flags = np.arange(30) % 3 == 0
    flagged = replace(some, kept=flags)
    filtered = proposed(60, range(0, 60, 6))
    for among in ("proposals", "labelled"):
        for number in range(10):
            ours = flagged.sampled(25, among, generator(number)).certain()
            expected = filtered.sampled(25, among, generator(number))
            assert np.array_equal(ours.concept_ids, expected.concept_ids)
            assert np.array_equal(ours.boxes, expected.boxes)
