"""The benchmark of duplicates plants what it says, and counts what is found of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from benchmarks.duplicates import CHANGES, Found, look_up, main, perceptual_hash, table
from tests.stages.near_duplicates.smooth import Scene

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def named(rng: np.random.Generator, prefix: str, count: int) -> list[tuple[str, Image.Image]]:
    return [
        (f"{prefix}{n}", Image.fromarray(Scene(rng).pixels(200, 160)).convert("RGB"))
        for n in range(count)
    ]


def test_every_kind_is_planted_once_for_each_original(rng: np.random.Generator) -> None:
    results = look_up(named(rng, "a", 3), named(rng, "b", 4), seed=5)
    assert list(results) == [*CHANGES, "unrelated"]
    promised = [kind for kind in CHANGES if "not promised" not in kind]
    assert [results[kind].right for kind in promised] == [3] * len(promised)
    assert (results["unrelated"].images, results["unrelated"].right) == (4, 0)
    assert results["mirrored"].hashed_right < 3
    assert results["resized"].hashed_right == 3


def test_a_crop_is_of_90_per_cent_of_both_sides(rng: np.random.Generator) -> None:
    ((_, image),) = named(rng, "a", 1)
    assert CHANGES["cropped to 90 %"](image, rng).size == (180, 144)
    assert CHANGES["mirrored"](image, rng).size == image.size


def test_a_hash_has_64_bits_and_knows_no_brightness(rng: np.random.Generator) -> None:
    picture = Scene(rng).pixels(48, 48) // 2
    bits = perceptual_hash(picture)
    assert bits.shape == (64,)
    assert (bits ^ perceptual_hash(picture + 20)).sum() <= 1  # the first is the brightness


def test_the_table_has_shares_of_what_was_planted_and_counts_of_the_rest() -> None:
    found = Found(images=4, right=3, wrong=[("a", "b", 0.9)], hashed_right=1, hashed_wrong=2)
    line = table("world", {"mirrored": found}).splitlines()[-1]
    assert line == "| mirrored | 4 | 75.0% | 1 | 25.0% | 2 |"


@pytest.mark.slow
def test_it_prints_a_table_for_each_world(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, image in named(rng, "p", 4):
        image.save(tmp_path / f"{name}.jpg")
    main(["--photographs", str(tmp_path), "--scenes", "2", "--seeds", "5", "--pairs"])
    printed = capsys.readouterr().out
    assert "ns to compare an unrelated pair" in printed
    assert "| scenes, seed 5 |" in printed
    assert "| photographs, seed 5 |" in printed
    main(["--scenes", "1", "--seeds", "5"])
    assert "photographs were left out" in capsys.readouterr().out
