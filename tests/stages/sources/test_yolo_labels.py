from __future__ import annotations

import pytest

from stages.sources.record import SourceObject
from stages.sources.yolo_labels import FRACTIONS, ImageLabels, read_labels

NAMES = {0: "cat", 2: "dog"}


def read(text: str, *, has_keypoints: bool = False) -> ImageLabels:
    return read_labels(text.encode(), NAMES, has_keypoints=has_keypoints)


def boxes(labels: ImageLabels) -> list[tuple[str, tuple[float, ...]]]:
    assert labels.problems == []
    return [(thing.category, tuple(round(v, 6) for v in thing.box)) for thing in labels.objects]


def test_a_line_is_class_centre_and_size() -> None:
    labels = read("0 0.5 0.5 0.2 0.4\r\n\n2\t.25 .25 .5 .5\n")
    assert boxes(labels) == [("cat", (0.4, 0.3, 0.6, 0.7)), ("dog", (0, 0, 0.5, 0.5))]
    assert {thing.frame for thing in labels.objects} == {FRACTIONS}


def test_an_outline_gives_its_box_and_its_area() -> None:
    triangle = read("0 0.1 0.2 0.5 0.2 0.1 0.6").objects[0]
    assert triangle.box == (0.1, 0.2, 0.5, 0.6)
    assert triangle.area == pytest.approx(0.08)
    turned = read("2 0.1 0.1 0.3 0.1 0.3 0.2 0.1 0.2").objects[0]  # four corners of a turned box
    assert turned == SourceObject("dog", (0.1, 0.1, 0.3, 0.2), turned.area, frame=FRACTIONS)
    assert turned.area == pytest.approx(0.02)


def test_a_score_and_keypoints_are_not_kept() -> None:
    expected = [("cat", (0.4, 0.4, 0.6, 0.6))]
    assert boxes(read("0 0.5 0.5 0.2 0.2 0.93")) == expected
    points = "0 0.5 0.5 0.2 0.2 0.45 0.45 2 120 300 0"
    assert boxes(read(points, has_keypoints=True)) == expected


def test_a_box_may_leave_the_image_a_little() -> None:
    assert len(read("0 1.0 0.5 0.2 0.2\n0 1.004 -0.003 0.2 0.2").objects) == 2


@pytest.mark.parametrize(
    ("line", "reason", "sentence"),
    [
        ("7 .5 .5 .2 .2", "unknown-category", "class 7 has no name in the data set"),
        ("1 .5 .5 .2 .2", "unknown-category", "class 1 has no name in the data set"),
        ("0.5 .5 .5 .2 .2", "unknown-category", "class 0.5 has no name"),
        ("cat .5 .5 .2 .2", "bad-box", "not all of it is numbers"),
        ("0 nan .5 .2 .2", "bad-box", "not all numbers are finite"),
        ("0 .5 .5 .2", "bad-box", "3 numbers after the class are neither a box nor an outline"),
        ("0", "bad-box", "0 numbers after the class"),
        ("0 .1 .1 .2 .2 .3 .3 .4", "bad-box", "7 numbers after the class"),
        ("0 120 80 40 20", "bad-box", "120 is no fraction of the image's width or height"),
        ("0 -0.5 .5 .2 .2", "bad-box", "-0.5 is no fraction"),
        ("\xff\xfe", "bad-box", "not all of it is numbers"),
    ],
)
def test_a_line_that_is_no_object_is_told_with_its_number(
    line: str, reason: str, sentence: str
) -> None:
    labels = read(f"0 .5 .5 .2 .2\n{line}\n")
    assert len(labels.objects) == 1
    ((told, detail),) = labels.problems
    assert (told, detail[: len(sentence) + 8]) == (reason, f"line 2: {sentence}")
