"""Which regions of an image a detector learns from, and how often an image comes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from stages.training.detector_batches import Sampling, sample
from stages.training.detector_samples import Scenes, count_images, repeat_factors, repeats
from tests.in_memory import InMemory
from tests.stages.training import tiny_scenes

BACKGROUND = 9
draw = np.random.default_rng()


def boxes(count: int) -> torch.Tensor:
    corner = torch.from_numpy(draw.uniform(0, 60, (count, 2)))
    size = torch.from_numpy(draw.uniform(5, 40, (count, 2)))
    return torch.cat([corner, corner + size], dim=1).float()


def iou(a: Any, b: Any) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.clip(high - low, 0, None).prod()
    return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))


def test_regions_are_the_object_they_overlap_most_or_background() -> None:
    objects, classes = boxes(4), torch.tensor([3, 1, 1, 5])
    near = objects.repeat(5, 1) + torch.from_numpy(draw.normal(0, 3, (20, 4))).float()
    near[:, 2:] = torch.maximum(near[:, 2:], near[:, :2] + 1)
    rois = sample(near, objects, classes, BACKGROUND, Sampling(), draw)
    assert len(rois.boxes) == 24  # all, and the objects themselves
    for box, kind, target in zip(rois.boxes, rois.classes, rois.targets, strict=True):
        overlaps = [iou(box.numpy(), one.numpy()) for one in objects]
        best = int(np.argmax(overlaps))
        if overlaps[best] >= 0.5:
            assert int(kind) == int(classes[best])
            assert torch.equal(target, objects[best])
        else:
            assert int(kind) == BACKGROUND
            assert not target.any()


@pytest.mark.parametrize(("regions", "share"), [(16, 0.25), (512, 0.25), (8, 1.0), (4, 0.0)])
def test_of_too_many_a_quarter_is_objects_and_the_rest_background(
    regions: int, share: float
) -> None:
    objects = torch.tensor([[0.0, 0, 20, 20], [40, 40, 60, 60]])
    proposals = torch.cat([objects.repeat(20, 1), torch.tensor([[0.0, 40, 20, 60]]).repeat(50, 1)])
    how = Sampling(regions=regions, foreground=share)
    rois = sample(proposals, objects, torch.tensor([0, 1]), BACKGROUND, how, draw)
    found = int((rois.classes != BACKGROUND).sum())
    assert found == min(42, int(regions * share))
    assert len(rois.boxes) == found + min(50, regions - found)
    assert (rois.classes[:found] != BACKGROUND).all()


def test_what_people_drew_are_regions_only_if_asked() -> None:
    objects, far = torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([[50.0, 50, 60, 60]])
    kinds = torch.tensor([2])
    for add, expected in ((True, 1), (False, 0)):
        rois = sample(far, objects, kinds, BACKGROUND, Sampling(add_objects=add), draw)
        assert int((rois.classes == 2).sum()) == expected


def test_without_objects_or_proposals_there_is_background_or_nothing() -> None:
    none = torch.zeros(0, 4)
    rois = sample(boxes(5), none, torch.zeros(0, dtype=torch.int64), BACKGROUND, Sampling(), draw)
    assert (rois.classes == BACKGROUND).all()
    rois = sample(none, none, torch.zeros(0, dtype=torch.int64), BACKGROUND, Sampling(), draw)
    assert len(rois.boxes) == 0


def test_a_rare_category_repeats_its_images_as_lvis_says() -> None:
    counts = {k: int(n) for k, n in enumerate(draw.integers(1, 900, 30))}
    found = repeat_factors(counts, 1000, 0.1)
    for category, count in counts.items():
        assert found[category] == pytest.approx(max(1.0, math.sqrt(0.1 / (count / 1000))))
    assert set(repeat_factors(counts, 1000, 0.0).values()) == {1.0}


def test_repeats_round_to_their_factor_on_average() -> None:
    factors = np.array([1.0, 1.3, 2.75, 4.0])
    found = np.stack([repeats(factors, draw) for _ in range(4000)])
    assert (found >= np.floor(factors)).all()
    assert (found <= np.ceil(factors)).all()
    assert found.mean(axis=0) == pytest.approx(factors, abs=0.05)


def test_an_image_comes_as_often_as_its_rarest_category() -> None:
    part = InMemory(
        {"images": tiny_scenes.images(range(6)), "proposals": tiny_scenes.proposals(range(6))}
    )
    ids = {name: k for k, name in enumerate(tiny_scenes.NAMES)}
    factors = {0: 1.5, 1: 3.0, 2: 2.0}
    scenes = Scenes(part, ids, factors, proposals=4, bare=False)
    for scene, factor in zip(
        (scenes[n] for n in range(len(scenes))), scenes.factors(), strict=True
    ):
        assert factor == max(factors[c] for c in scene.classes.tolist())
        assert len(scene.proposals) == 4
    images_with, total = count_images(part.tables["images"].to_batches(), ids, bare=False)
    assert total == 6
    assert images_with == {k: sum(k in scenes[n].classes for n in range(6)) for k in images_with}
