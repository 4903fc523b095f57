"""Samples of detector training: joined ground truth and proposals, and repeat factors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.images import IMAGES
from stages.training.detector_samples import (
    AnnotatedImages,
    RepeatFactorDataset,
    count_images,
    repeat_factors,
    sample_repeats,
)
from tests.in_memory import InMemory
from tests.stages.training import tiny_scenes

if TYPE_CHECKING:
    from stages.base import Part


def test_repeat_factors_follow_the_formula_of_lvis() -> None:
    rng = np.random.default_rng(1)
    counts = {k: int(n) for k, n in enumerate(rng.integers(1, 900, 30))}
    factors = repeat_factors(counts, 1000, 0.1)
    for category, count in counts.items():
        assert factors[category] == pytest.approx(max(1.0, math.sqrt(0.1 / (count / 1000))))
    assert set(repeat_factors(counts, 1000, 0.0).values()) == {1.0}


def test_repeats_are_their_factor_on_average() -> None:
    factors = np.array([1.0, 1.3, 2.75, 4.0])
    rng = np.random.default_rng(2)
    counts = np.stack([sample_repeats(factors, rng) for _ in range(4000)])
    assert (counts >= np.floor(factors)).all()
    assert (counts <= np.ceil(factors)).all()
    assert counts.mean(axis=0) == pytest.approx(factors, abs=0.05)


def test_an_image_has_the_factor_of_its_rarest_category() -> None:
    part = InMemory(
        {"images": tiny_scenes.images(range(6)), "proposals": tiny_scenes.proposals(range(6))}
    )
    ids = {name: k for k, name in enumerate(tiny_scenes.NAMES)}
    factors = {0: 1.5, 1: 3.0, 2: 2.0}
    samples = AnnotatedImages(part, ids, factors, proposals=4, bare=False)
    for sample, factor in zip(samples, samples.factors(), strict=True):
        assert factor == max(factors[c] for c in sample.classes.tolist())
        assert len(sample.proposals) == 4
    images_with, total = count_images(part.tables["images"].to_batches(), ids, bare=False)
    assert total == 6
    assert images_with == {k: sum(k in samples[n].classes for n in range(6)) for k in images_with}


ROWS = {name: k for k, name in enumerate(tiny_scenes.NAMES)}


def part(**changes: Any) -> InMemory:
    tables = {
        "images": tiny_scenes.images(range(5), **changes),
        "proposals": tiny_scenes.proposals(range(5), leave_out=(4,)),
    }
    return InMemory(tables, number=3)


@pytest.mark.parametrize("bare", [False, True])
def test_images_without_objects_take_part_only_with_bare(bare: bool) -> None:
    samples = AnnotatedImages(part(bare=(1, 3)), ROWS, {}, proposals=9, bare=bare)
    ids = [sample.image["image_id"] for sample in samples]
    expected = range(5) if bare else (0, 2, 4)
    assert ids == [f"tiny/{n:03d}" for n in expected]
    batches = part(bare=(1, 3)).batches("images")
    assert count_images(batches, ROWS, bare=bare)[1] == len(samples)
    if bare:
        assert samples[1].boxes.shape == (0, 4)
        assert samples.factors().tolist() == [1.0] * 5


def test_crowds_empty_boxes_and_other_categories_are_left_out() -> None:
    images = part(crowds=True).table("images").to_pylist()
    images[0]["objects"][0]["x1"] = images[0]["objects"][0]["x0"]
    tables = {**part().tables, "images": pa.Table.from_pylist(images, IMAGES.arrow)}
    name = tiny_scenes.NAMES[1]
    samples = AnnotatedImages(InMemory(tables), {name: 7}, {}, proposals=9, bare=True)
    for row, sample in zip(images, samples, strict=True):
        expected = [
            [o["x0"], o["y0"], o["x1"], o["y1"]]
            for o in row["objects"]
            if o["category"] == name and not o["is_crowd"] and o["x1"] > o["x0"]
        ]
        assert sample.boxes.tolist() == expected
        assert sample.classes.tolist() == [7] * len(expected)


def test_proposals_are_the_best_of_the_image_whatever_the_order_of_rows() -> None:
    tables = dict(part().tables)
    order = np.random.default_rng(0).permutation(len(tables["proposals"]))
    tables["proposals"] = tables["proposals"].take(order)
    mixed = AnnotatedImages(InMemory(tables), ROWS, {}, proposals=4, bare=True)
    ordered = AnnotatedImages(part(), ROWS, {}, proposals=4, bare=True)
    for sample, expected in zip(mixed, ordered, strict=True):
        assert sample.proposals.tolist() == expected.proposals.tolist()
    assert mixed[4].proposals.shape == (0, 4)


def test_a_sample_contains_neither_captions_nor_objects() -> None:
    (sample,) = AnnotatedImages(part(), ROWS, {}, proposals=4, bare=True)[:1]
    assert sample.part == 3
    assert {"captions", "objects"}.isdisjoint(sample.image)


def test_an_epoch_has_each_image_as_often_as_its_repeats_with_numbered_copies() -> None:
    def read(part: Part) -> AnnotatedImages:
        return AnnotatedImages(part, ROWS, {0: 3.0, 1: 3.0, 2: 3.0}, proposals=4, bare=True)

    dataset = RepeatFactorDataset([part(bare=(2,))], read, seed=1, buffer=1)
    copies = sorted((s.image["image_id"], s.copy) for s in dataset.samples(0))
    expected = [(f"tiny/{n:03d}", c) for n in range(5) for c in range(1 if n == 2 else 3)]
    assert copies == expected
