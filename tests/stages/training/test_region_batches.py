"""Views and batches of regions: determinism, flips, captions, and the regions that take part."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from stages.models.clip_spec import ClipSpec
from stages.models.preprocess import Size
from stages.seeds import generator
from stages.training import region_batches
from stages.training.augment import MultiScale
from stages.training.crop_features import CropFeatures
from stages.training.region_batches import (
    RegionTransform,
    RegionView,
    collate,
    sample_caption,
)
from stages.training.regions import Regions
from stages.training.samples import Sample

SPEC = ClipSpec(
    architecture=None, config={}, image_size=32, mean=(0.5,) * 3, std=(0.5,) * 3, origin="none"
)
SIZES = tuple(Size(side) for side in range(20, 60))


def regions(count: int, kept: list[bool] | None = None, first: int = 0) -> Regions:
    """Labelled boxes of concepts `first`, `first` + 1, ... in an image 60 wide and 40 high."""
    corners = np.random.default_rng(count).uniform(0, 20, (count, 2))
    ids = np.arange(first, first + count)
    boxes = np.concatenate([corners, corners + 15], axis=1).astype(np.float32)
    return Regions(
        boxes=boxes,
        labelled=np.arange(count),
        labelled_boxes=boxes,
        concept_ids=ids,
        top_ids=np.stack([ids, ids + 1], axis=1).astype(np.int32),
        top_probabilities=np.full((count, 2), 0.4, np.float32),
        residual=np.full(count, 0.2, np.float32),
        kept=np.array([True] * count if kept is None else kept, np.bool_),
    )


def sample(**changes: Any) -> Sample:
    image = {"image_id": "a", "captions": ["a cat left of a dog"], **changes}
    return Sample(part=3, image=image, regions=regions(6))


def pixels(image: Any) -> Any:
    return np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)


def transform(sizes: tuple[Size, ...] = SIZES, *, flip: bool = True, **changes: Any) -> Any:
    augment = MultiScale(sizes, flip, "bilinear", SPEC)
    options = {"regions_per_image": 4, "among": "labelled", "seed": 1, **changes}
    return RegionTransform(pixels, augment, **options)


def test_a_view_follows_from_seed_epoch_part_and_image() -> None:
    first, again = (transform()(sample(), epoch=2) for _ in range(2))
    assert torch.equal(first.pixels, again.pixels)
    assert torch.equal(first.boxes, again.boxes)
    assert first.caption == again.caption
    shapes = {
        transform(seed=seed)(sample(image_id=name), epoch).pixels.shape
        for seed, name, epoch in ((1, "a", 2), (2, "a", 2), (1, "b", 2), (1, "a", 3), (1, "a", 4))
    }
    assert len(shapes) >= 4


def test_boxes_of_a_view_are_those_of_its_regions_scaled_and_flipped() -> None:
    flips = set()
    for epoch in range(12):
        view = transform()(sample(), epoch)
        height, width = view.pixels.shape[1:]
        expected = torch.from_numpy(view.regions.boxes) * torch.tensor(
            [width / 60, height / 40, width / 60, height / 40]
        )
        flipped = expected.clone()
        flipped[:, [0, 2]] = width - expected[:, [2, 0]]
        is_flipped = torch.allclose(view.boxes, flipped, atol=1e-3)
        assert is_flipped or torch.allclose(view.boxes, expected, atol=1e-3)
        assert len(view.boxes) == 4
        flips.add(is_flipped)
    assert flips == {True, False}


@pytest.mark.parametrize("mirror", [False, True])
def test_left_and_right_are_swapped_only_in_captions_of_flipped_images(mirror: bool) -> None:
    captions = {transform(mirror=mirror)(sample(), epoch).caption for epoch in range(12)}
    expected = {"a cat left of a dog"} | ({"a cat right of a dog"} if mirror else set())
    assert captions == expected


def test_without_flips_a_caption_is_never_swapped() -> None:
    view = transform(flip=False, mirror=True)
    assert {view(sample(), epoch).caption for epoch in range(8)} == {"a cat left of a dog"}


def test_a_sample_read_without_its_regions_gives_none() -> None:
    view = transform()(Sample(0, {"image_id": "a", "captions": ["a cat"]}), 0)
    assert (view.boxes.shape, view.caption, view.crops) == ((0, 4), "a cat", None)


def crops(count: int) -> CropFeatures:
    corners = np.random.default_rng(count).uniform(0, 20, (count, 2)).astype(np.float32)
    return CropFeatures(np.concatenate([corners, corners + 15], axis=1), corners.astype(np.float16))


def test_crop_boxes_are_moved_as_the_view_is_and_change_nothing_else() -> None:
    flips = set()
    for epoch in range(12):
        alone = transform(regions_per_image=9)(sample(), epoch)
        view = transform(regions_per_image=9)(replace(sample(), crops=crops(5)), epoch)
        assert torch.equal(view.pixels, alone.pixels)
        assert torch.equal(view.boxes, alone.boxes)
        assert view.caption == alone.caption
        assert view.crops is not None
        boxes, features = view.crops
        height, width = view.pixels.shape[1:]
        scale = torch.tensor([width / 60, height / 40])
        unflipped = torch.from_numpy(features.astype(np.float32)) * scale
        mirrored = width - unflipped[:, 0] - 15 * scale[0]
        flipped = torch.allclose(boxes[:, 0], mirrored, atol=0.05)
        assert flipped or torch.allclose(boxes[:, :2], unflipped, atol=0.05)
        flips.add(flipped)
    assert flips == {True, False}


def test_a_batch_joins_crop_features_whichever_regions_are_kept() -> None:
    views = [
        replace(view(regions(2, [False, True])), crops=(torch.ones(n, 4), np.full((n, 3), n)))
        for n in (2, 0, 1)
    ]
    (batch,) = collate([views])
    assert batch.crop_boxes is not None
    assert batch.crop_features is not None
    assert [len(boxes) for boxes in batch.crop_boxes] == [2, 0, 1]
    assert batch.crop_features.tolist() == [[2] * 3, [2] * 3, [1] * 3]
    assert [len(boxes) for boxes in batch.boxes] == [1, 1, 1]


def test_every_caption_is_sampled_equally_often() -> None:
    image = {"captions": ["a", "b", "c"]}
    counts = Counter(sample_caption(image, generator(i)) for i in range(900))
    assert all(abs(counts[caption] - 300) < 75 for caption in "abc")
    assert sample_caption({"captions": []}, generator(0)) is None


def view(chosen: Regions, size: tuple[int, int] = (8, 9), caption: str | None = None) -> RegionView:
    return RegionView(torch.ones(3, *size), torch.from_numpy(chosen.boxes), chosen, caption)


def test_a_batch_joins_regions_in_order_and_pads_images() -> None:
    (batch,) = collate([[view(regions(2), (8, 9), "one"), view(regions(3, first=10), (5, 12))]])
    assert len(batch) == 2
    assert batch.pixels.shape[0] == 2
    assert batch.sizes == [(8, 9), (5, 12)]
    assert batch.pixels[1, :, 5:].sum() == batch.pixels[0, :, :, 9:].sum() == 0
    assert batch.captions == ["one", None]
    assert [len(boxes) for boxes in batch.boxes] == [2, 3]
    assert batch.concept_ids.tolist() == [0, 1, 10, 11, 12]
    ids, probabilities, residual = batch.teacher
    assert ids.tolist() == [[0, 1], [1, 2], [10, 11], [11, 12], [12, 13]]
    assert ids.dtype == torch.int64
    assert (probabilities.shape, residual.shape) == ((5, 2), (5,))


def test_only_kept_regions_of_a_batch_take_part_if_there_are_any() -> None:
    (batch,) = collate(
        [[view(regions(2, [False, False])), view(regions(3, [False, True, True], 10))]]
    )
    assert batch.concept_ids.tolist() == [11, 12]
    assert [len(boxes) for boxes in batch.boxes] == [0, 2]


def test_a_batch_without_any_region_has_empty_tensors_of_full_width() -> None:
    (batch,) = collate([[view(regions(0)), view(regions(0))]])
    assert batch.concept_ids.shape == (0,)
    assert [tensor.shape for tensor in batch.teacher] == [(0, 2), (0, 2), (0,)]
    assert [len(boxes) for boxes in batch.boxes] == [0, 0]


def test_the_rule_is_of_all_micro_batches_of_a_batch_and_they_share_a_canvas() -> None:
    unsure, sure = view(regions(2, [False, False]), (8, 9)), view(regions(1, [True], 10), (5, 12))
    first, second = collate([[unsure], [sure]])
    assert [len(batch.concept_ids) for batch in (first, second)] == [0, 1]
    assert {batch.pixels.shape for batch in (first, second)} == {(1, 3, 8, 12)}


@pytest.mark.parametrize(("each_rank", "expected"), [(True, 2), (False, 0)])
def test_a_kept_region_of_another_rank_counts_unless_each_rank_is_alone(
    monkeypatch: pytest.MonkeyPatch, each_rank: bool, expected: int
) -> None:
    monkeypatch.setattr(region_batches, "largest", lambda numbers: [1])  # the other one has some
    unsure = view(regions(2, [False, False]))
    (batch,) = collate([[unsure]], each_rank=each_rank)
    assert len(batch.concept_ids) == expected
