"""Sampling of regions for a detector, and their place in an augmented image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from stages.models.clip_spec import ClipSpec
from stages.models.preprocess import Size
from stages.pixels import load_image
from stages.training.augment import MultiScale
from stages.training.detector_batches import (
    DetectorTransform,
    RegionSampling,
    collate_rois,
    sample_rois,
)
from stages.training.detector_samples import AnnotatedImages, DetectorSample
from tests.in_memory import InMemory
from tests.stages.training import tiny_scenes

BACKGROUND = 9
NO_CLASSES = torch.zeros(0, dtype=torch.int64)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def random_boxes(count: int, rng: np.random.Generator) -> torch.Tensor:
    corner = torch.from_numpy(rng.uniform(0, 60, (count, 2)))
    size = torch.from_numpy(rng.uniform(5, 40, (count, 2)))
    return torch.cat([corner, corner + size], dim=1).float()


def iou(a: Any, b: Any) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.clip(high - low, 0, None).prod()
    return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))


def test_a_region_gets_the_object_that_it_overlaps_most_or_background(
    rng: np.random.Generator,
) -> None:
    objects, classes = random_boxes(4, rng), torch.tensor([3, 1, 1, 5])
    near = objects.repeat(5, 1) + torch.from_numpy(rng.normal(0, 3, (20, 4))).float()
    near[:, 2:] = torch.maximum(near[:, 2:], near[:, :2] + 1)
    rois = sample_rois(near, objects, classes, BACKGROUND, RegionSampling(), rng)
    assert len(rois.boxes) == 24  # all proposals, and the objects themselves
    for box, label, target in zip(rois.boxes, rois.classes, rois.targets, strict=True):
        overlaps = [iou(box.numpy(), target_box.numpy()) for target_box in objects]
        best = int(np.argmax(overlaps))
        if overlaps[best] >= 0.5:
            assert int(label) == int(classes[best])
            assert torch.equal(target, objects[best])
        else:
            assert int(label) == BACKGROUND
            assert not target.any()


@pytest.mark.parametrize(("regions", "share"), [(16, 0.25), (512, 0.25), (8, 1.0), (4, 0.0)])
def test_regions_on_objects_are_limited_to_their_share_and_the_rest_is_background(
    rng: np.random.Generator, regions: int, share: float
) -> None:
    objects = torch.tensor([[0.0, 0, 20, 20], [40, 40, 60, 60]])
    proposals = torch.cat([objects.repeat(20, 1), torch.tensor([[0.0, 40, 20, 60]]).repeat(50, 1)])
    sampling = RegionSampling(regions=regions, foreground=share)
    rois = sample_rois(proposals, objects, torch.tensor([0, 1]), BACKGROUND, sampling, rng)
    num_objects = int((rois.classes != BACKGROUND).sum())
    assert num_objects == min(42, int(regions * share))
    assert len(rois.boxes) == num_objects + min(50, regions - num_objects)
    assert (rois.classes[:num_objects] != BACKGROUND).all()


def test_ground_truth_boxes_are_regions_only_with_add_objects(rng: np.random.Generator) -> None:
    objects, far = torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([[50.0, 50, 60, 60]])
    classes = torch.tensor([2])
    for add, expected in ((True, 1), (False, 0)):
        rois = sample_rois(far, objects, classes, BACKGROUND, RegionSampling(add_objects=add), rng)
        assert int((rois.classes == 2).sum()) == expected


def test_without_objects_all_regions_are_background(rng: np.random.Generator) -> None:
    proposals = random_boxes(5, rng)
    rois = sample_rois(proposals, torch.zeros(0, 4), NO_CLASSES, BACKGROUND, RegionSampling(), rng)
    assert rois.classes.tolist() == [BACKGROUND] * 5
    assert sorted(rois.boxes.tolist()) == sorted(proposals.tolist())
    assert not rois.targets.any()


def test_without_boxes_there_are_no_regions(rng: np.random.Generator) -> None:
    no_boxes = torch.zeros(0, 4)
    rois = sample_rois(no_boxes, no_boxes, NO_CLASSES, BACKGROUND, RegionSampling(), rng)
    assert rois.boxes.shape == rois.targets.shape == (0, 4)
    assert rois.classes.tolist() == []


def test_an_overlap_of_exactly_the_threshold_is_an_object(rng: np.random.Generator) -> None:
    objects, proposals = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[0.0, 0, 10, 5]])
    for threshold, expected in ((0.5, 3), (0.51, BACKGROUND)):
        sampling = RegionSampling(iou=threshold, foreground=1.0, add_objects=False)
        rois = sample_rois(proposals, objects, torch.tensor([3]), BACKGROUND, sampling, rng)
        assert rois.classes.tolist() == [expected]


def test_every_region_is_sampled_equally_often() -> None:
    proposals = torch.arange(8.0)[:, None] * 10 + torch.tensor([0.0, 0, 5, 5])
    counts = np.zeros(8)
    for seed in range(400):
        rng = np.random.default_rng(seed)
        sampling = RegionSampling(regions=2)
        rois = sample_rois(proposals, torch.zeros(0, 4), NO_CLASSES, BACKGROUND, sampling, rng)
        counts[(rois.boxes[:, 0] / 10).long().numpy()] += 1
    assert counts.sum() == 800
    assert ((counts > 60) & (counts < 140)).all()


SPEC = ClipSpec(
    architecture=None, config={}, image_size=64, mean=(0.5,) * 3, std=(0.5,) * 3, origin="none"
)


def transform(sizes: tuple[Size, ...], **changes: Any) -> DetectorTransform:
    augment = MultiScale(sizes, flip=True, interpolation="bilinear", spec=SPEC)
    return DetectorTransform(load_image, augment, 3, RegionSampling(**changes), seed=4)


def samples(**changes: Any) -> list[DetectorSample]:
    tables = {
        "images": tiny_scenes.images(range(4), **changes),
        "proposals": tiny_scenes.proposals(range(4)),
    }
    ids = {name: k for k, name in enumerate(tiny_scenes.NAMES)}
    return list(AnnotatedImages(InMemory(tables, number=2), ids, {}, proposals=5, bare=True))


def test_regions_of_a_view_map_back_to_boxes_of_the_original_image() -> None:
    for sample in samples():
        for epoch in range(3):
            pixels, rois, facts = transform((Size(48), Size(96)))(sample, epoch)
            assert facts["image_id"] == sample.image["image_id"]
            assert facts["size"] == list(pixels.shape[1:])
            boxes = rois.boxes.numpy().copy()
            if facts["flipped"]:
                boxes[:, [0, 2]] = pixels.shape[2] - boxes[:, [2, 0]]
            boxes /= np.float32(facts["scale"] * 2)
            originals = np.concatenate([sample.proposals, sample.boxes])
            distances = np.abs(boxes[:, None] - originals[None]).max(axis=2)
            assert (distances.min(axis=1) < 1e-3).all()
            assert len(boxes) == len(originals)


def test_a_repeat_of_an_image_has_another_view_and_the_same_repeat_the_same_view() -> None:
    sample = samples()[0]
    make = transform(tuple(Size(side) for side in range(40, 80)))
    copies = [replace(sample, copy=number) for number in (0, 1)]
    first, second = (make(copy, epoch=0) for copy in copies)
    assert first[2]["size"] != second[2]["size"]
    again = make(copies[0], epoch=0)
    assert torch.equal(again[0], first[0])
    assert torch.equal(again[1].boxes, first[1].boxes)


def test_objects_outside_of_the_image_are_clipped_or_left_out() -> None:
    sample = samples()[0]
    outside = np.float32([[-10, -10, 20, 20], [70, 60, 90, 80]])
    moved = DetectorSample(
        sample.part, sample.image, outside, np.array([1, 2]), sample.proposals[:0]
    )
    _, rois, facts = transform((Size(None),))(moved, epoch=0)
    height, width = facts["size"]
    expected = [40, 0, 60, 20] if facts["flipped"] else [0, 0, 20, 20]
    assert (height, width) == (48, 60)
    assert rois.boxes.tolist() == [expected]
    assert rois.classes.tolist() == [1]


def test_a_batch_pads_images_and_keeps_the_regions_of_each() -> None:
    parts = [
        transform((Size(side),))(sample, 0)
        for side, sample in zip((48, 64), samples()[:2], strict=True)
    ]
    (batch,) = collate_rois([parts])
    assert len(batch) == 2
    assert batch.pixels.shape == (2, 3, 64, 80)
    assert torch.equal(batch.pixels[0, :, :48, :60], parts[0][0])
    assert not batch.pixels[0, :, 48:].any()
    assert not batch.pixels[0, :, :, 60:].any()
    assert [view["image_id"] for view in batch.views] == ["tiny/000", "tiny/001"]
    assert all(rois is part[1] for rois, part in zip(batch.rois, parts, strict=True))
