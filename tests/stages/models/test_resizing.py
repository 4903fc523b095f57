from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import OptionError
from stages.models.resizing import Size, fit


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ((480, 640), (800, 1067)),  # 1066.67 up
        ((640, 480), (1067, 800)),
        ((500, 500), (800, 800)),
        ((400, 1000), (533, 1333)),  # 533.2 down
        ((320, 641), (665, 1333)),  # 665.47 down, longest side decides
        ((1, 5000), (1, 1333)),  # never 0
        ((1600, 1601), (800, 801)),  # 800.5 up
    ],
)
def test_sides_round_as_in_detectron2(image, expected) -> None:
    assert fit(*image, 800, 1333) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("800x1333", (800, 1067)),
        ("native", (224, 299)),
        ("none", (480, 640)),
        ("100x120", (90, 120)),
    ],
)
def test_a_size_is_parsed(text, expected) -> None:
    assert Size.parse(text, native=224).of(480, 640) == expected


@pytest.mark.parametrize("text", ["", "800", "1333x800", "0x9", "-1x5", "ax9", "Native"])
def test_a_wrong_size_is_refused(text) -> None:
    with pytest.raises(OptionError, match="SHORTESTxLONGEST"):
        Size.parse(text, native=224)


def test_without_a_shortest_side_every_image_keeps_its_size() -> None:
    assert Size(None).of(7, 4000) == (7, 4000)


def test_without_a_limit_the_longest_side_may_be_anything() -> None:
    assert Size(100).of(10, 5000) == (100, 50_000)


@pytest.mark.parametrize("seed", range(5))
def test_one_side_is_exact_and_the_other_keeps_the_aspect_ratio_to_half_a_pixel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for height, width in rng.integers(20, 3000, (200, 2)).tolist():
        new_height, new_width = fit(height, width, 800, 1333)
        short, long = sorted((new_height, new_width))
        assert long <= 1333
        assert short == 800 or long == 1333
        scale = min(800 / min(height, width), 1333 / max(height, width))
        assert abs(new_height - height * scale) <= 0.5 + 1e-9
        assert abs(new_width - width * scale) <= 0.5 + 1e-9


def test_turning_an_image_turns_its_new_size() -> None:
    for height, width in [(480, 640), (33, 1000), (346, 692), (1, 2)]:
        assert fit(height, width, 800, 1333) == fit(width, height, 800, 1333)[::-1]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("shortest", (64, 128)), ("longest", (32, 64)), ("squash", (64, 64))],
)
def test_the_native_size_is_that_of_the_sides_the_weights_were_trained_with(mode, expected) -> None:
    assert Size.parse("native", 64, mode).of(100, 200) == expected
    assert Size.parse("native", 64, mode).of(200, 100) == expected[::-1]
    assert Size.parse("80x100", 64, mode).of(100, 200) == (50, 100)
    assert Size.parse("none", 64, mode).of(100, 200) == (100, 200)
