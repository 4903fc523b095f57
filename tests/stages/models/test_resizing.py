from __future__ import annotations

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
