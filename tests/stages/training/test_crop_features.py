"""Crop features of an image: joined with proposals by region, and sampled."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import ArtifactError
from stages.seeds import generator
from stages.training.crop_features import CropFeatures, PartCropFeatures
from tests.in_memory import InMemory
from tests.stages.training import tiny

NUMBERS = range(4)


def part(features: pa.Table | None = None, proposals: range = NUMBERS) -> InMemory:
    rows = tiny.features(NUMBERS) if features is None else features
    return InMemory({"proposals": tiny.proposals(proposals), "features": rows})


def test_each_feature_stands_beside_the_box_of_its_region() -> None:
    rows = tiny.features(NUMBERS)
    mixed = rows.take(generator("rows").permutation(len(rows)))
    joined = PartCropFeatures(part(mixed), tiny.WIDTH)
    for number in NUMBERS:
        _, _, boxes, _ = tiny.picture(number)
        crops = joined.of(f"tiny/{number:03d}")
        pairs = dict(zip(map(tuple, crops.boxes.tolist()), crops.features.tolist(), strict=True))
        expected = tiny.feature_vectors(number).tolist()
        assert pairs == dict(zip(map(tuple, boxes), expected, strict=True))


def test_whole_images_and_regions_without_a_feature_are_left_out() -> None:
    rows = tiny.features(NUMBERS, whole=True)
    regions = rows["region"].to_numpy()
    crops = PartCropFeatures(part(rows.filter(pa.array(regions != 1))), tiny.WIDTH)
    boxes = tiny.picture(2)[2]
    assert crops.of("tiny/002").boxes.tolist() == [boxes[0], boxes[2]]
    only_whole = PartCropFeatures(part(rows.filter(pa.array(regions == -1))), tiny.WIDTH)
    assert only_whole.rows == {}
    assert only_whole.of("tiny/002").boxes.shape == (0, 4)


def test_a_part_without_features_has_none_of_the_right_width() -> None:
    crops = PartCropFeatures(part(tiny.features(range(0))), tiny.WIDTH).of("tiny/000")
    assert (crops.boxes.shape, len(crops.features)) == ((0, 4), 0)


def test_features_of_other_proposals_or_of_another_width_are_refused() -> None:
    with pytest.raises(ArtifactError, match="region 0 of image tiny/003 has a feature but no prop"):
        PartCropFeatures(part(proposals=range(3)), tiny.WIDTH).of("tiny/003")
    with pytest.raises(ArtifactError, match="features are 32 wide, the student's are 16 wide"):
        PartCropFeatures(part(), 16)


def test_a_sample_is_without_repetition_and_each_is_as_likely() -> None:
    values = np.arange(10, dtype=np.float32)
    crops = CropFeatures(values[:, None] + np.zeros(4, np.float32), values[:, None])
    counts: Counter[int] = Counter()
    for seed in range(300):
        some = crops.sampled(4, generator(seed))
        assert some.boxes[:, 0].tolist() == some.features[:, 0].tolist()
        assert some.features[:, 0].tolist() == sorted(set(some.features[:, 0].tolist()))
        counts.update(some.features[:, 0].astype(int).tolist())
    assert len(counts) == 10
    assert all(abs(count - 120) < 45 for count in counts.values())
    assert len(crops.sampled(99, generator(0)).boxes) == 10
