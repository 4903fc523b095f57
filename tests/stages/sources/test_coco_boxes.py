from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import SourceError
from stages.sources.coco_boxes import JsonBoxes
from stages.sources.coco_image import CocoImage, Split
from stages.sources.coco_json import MASK_BOX
from stages.sources.record import Refusal
from tests.stages.sources.samples import encoded

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.box_forms import BoxForm

CORNERS = [[70, 10, 95, 20], [40, 30, 60, 60], [5, 5, 20, 20]]
SIZES = [[70, 10, 25, 10], [40, 30, 20, 30], [5, 5, 15, 15]]


def image(folder: str = "nowhere", size: int = -1) -> CocoImage:
    return CocoImage(Split("val", (), folder), "a.jpg", size)


def placed(
    boxes: list[Any], form: BoxForm = "auto", frame: tuple[float, float] | None = (100, 60)
) -> list[tuple[float, ...]]:
    owner, held = image(), JsonBoxes("x.json")
    for box in boxes:
        held.add(owner, {"bbox": box}, "dog", frame)
    held.place(form)
    return [thing.box for thing in owner.objects]


def test_boxes_become_corners() -> None:
    assert placed(SIZES) == [tuple(box) for box in CORNERS]


def test_corners_given_as_sizes_are_refused_until_the_user_says_so() -> None:
    with pytest.raises(SourceError, match="--boxes xyxy"):
        placed(CORNERS)
    assert placed(CORNERS, "xyxy") == [tuple(box) for box in CORNERS]


@pytest.mark.parametrize("boxes", [SIZES, CORNERS])
def test_fractions_are_refused_until_the_user_says_so(boxes: list[Any]) -> None:
    fractions = [[x / 100, y / 60, w / 100, h / 60] for x, y, w, h in boxes]
    with pytest.raises(SourceError, match=r"within \[0, 1\].*--boxes normalised"):
        placed(fractions)
    for box, expected in zip(placed(fractions, "normalised"), CORNERS, strict=True):
        assert box == pytest.approx(expected)


def test_fractions_of_an_image_without_a_size_stay_fractions_of_it() -> None:
    owner, held = image(), JsonBoxes("x.json")
    held.add(owner, {"bbox": [0.1, 0.2, 0.3, 0.4], "area": 0.12}, "dog", None)
    assert held.place("normalised") == [
        "boxes of x.json are read as fractions: x, y, width, height"
    ]
    (thing,) = owner.objects
    assert thing.box == pytest.approx((0.1, 0.2, 0.4, 0.6))
    assert (thing.frame, thing.area) == ((1, 1), None)


def test_sizes_that_the_json_does_not_state_are_read_from_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(size=(100, 60)))
    held = JsonBoxes("x.json")
    for box in CORNERS:
        held.add(image(str(tmp_path), 1), {"bbox": box}, "dog", None)
    with pytest.raises(SourceError, match="2 of 3 boxes leave their images"):
        held.place("auto")


def test_the_box_of_a_mask_is_x_y_width_height_in_any_form() -> None:
    owner, held = image(), JsonBoxes("x.json")
    held.add(owner, {MASK_BOX: (5.0, 5.0, 2.0, 3.0)}, "dog", (100, 60))
    held.place("xyxy")
    assert owner.objects[0].box == (5, 5, 7, 8)


@pytest.mark.parametrize(
    ("value", "is_crowd"),
    [
        *((value, False) for value in (0, "0", None, False, 0.0, "false", "")),
        *((value, True) for value in (1, "1", True, 1.0, "true", " 1 ")),
    ],
)
def test_a_crowd_may_be_a_number_a_text_or_a_truth_value(value: Any, is_crowd: bool) -> None:
    owner, held = image(), JsonBoxes("x.json")
    held.add(owner, {"bbox": [1, 1, 2, 2], "iscrowd": value}, "dog", None)
    held.place("auto")
    assert owner.objects[0].is_crowd is is_crowd


def test_a_crowd_that_is_anything_else_is_refused() -> None:
    with pytest.raises(Refusal, match="iscrowd is neither 0 nor 1: 'perhaps'"):
        JsonBoxes("x.json").add(image(), {"bbox": [1, 1, 2, 2], "iscrowd": "perhaps"}, "dog", None)


def test_numbers_may_be_text_and_an_impossible_area_is_said() -> None:
    owner, held = image(), JsonBoxes("x.json")
    for area in ("7.5", -3, "large", None):
        held.add(owner, {"bbox": ["5", " 5 ", "2e1", 20], "area": area}, "dog", None)
    assert held.place("auto") == ["2 impossible areas in x.json: that of the box is used instead"]
    assert [thing.area for thing in owner.objects] == [7.5, None, None, None]
    assert owner.objects[0].box == (5, 5, 25, 25)
