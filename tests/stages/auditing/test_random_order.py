"""Random numbers of labels: the same each time, uniform, and of seed, image and region alone."""

from __future__ import annotations

import numpy as np

from stages.auditing import random_order


def test_a_number_follows_from_seed_image_and_region_alone() -> None:
    images, regions = ["a", "b", "a", "ü 空"], np.array([0, 0, 1, 7], np.int32)
    numbers = random_order.numbers(3, images, regions)
    backwards = random_order.numbers(3, images[::-1], regions[::-1])
    assert numbers.tolist() == backwards[::-1].tolist()
    assert len(set(numbers.tolist())) == 4
    assert not set(numbers.tolist()) & set(random_order.numbers(4, images, regions).tolist())


def test_numbers_are_uniform_over_64_bits() -> None:
    regions = np.tile(np.arange(50, dtype=np.int32), 400)
    numbers = random_order.numbers(0, [f"image {i // 50}" for i in range(20000)], regions)
    counts, _ = np.histogram(numbers / 2.0**64, bins=20, range=(0, 1))
    assert ((counts - 1000) ** 2 / 1000).sum() < 50  # chi-square of 19 degrees: 1 in 10,000
