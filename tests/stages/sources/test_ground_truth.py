from __future__ import annotations

from typing import Any

import pytest

from schemas.quarantine import Reason
from stages.sources.box_frames import ImageShape
from stages.sources.ground_truth import judge_boxes
from stages.sources.record import Record, SourceObject


def record(*objects: SourceObject) -> Record:
    return Record("val/a", "a.jpg", bytes, objects=objects)


def corners(row: dict[str, Any]) -> list[float]:
    return [row[side] for side in ("x0", "y0", "x1", "y1")]


def test_boxes_and_areas_of_another_size_are_scaled() -> None:
    thing = SourceObject("dog", (20, 20, 60, 60), 1200, frame=(200, 120))
    rows, problems, moves, _ = judge_boxes(record(thing), ImageShape(100, 60))
    assert (corners(rows[0]), rows[0]["area"]) == ([10, 10, 30, 30], 300)
    assert (problems, moves) == ([], {"scaled"})


def test_boxes_of_stored_pixels_are_turned() -> None:
    thing = SourceObject("dog", (70, 10, 90, 20), frame=(100, 60))
    rows, _, moves, _ = judge_boxes(record(thing), ImageShape(60, 100, 6))
    assert (corners(rows[0]), moves) == ([40, 70, 50, 90], {"turned"})


def test_boxes_made_for_another_shape_are_refused_with_both_sizes() -> None:
    things = (SourceObject("dog", (0, 0, 9, 9), frame=(100, 70)), SourceObject("dog", (0, 0, 9, 9)))
    rows, problems, moves, _ = judge_boxes(record(*things), ImageShape(100, 60))
    assert (len(rows), moves) == (1, {"refused"})
    (problem,) = problems
    assert (problem.record, problem.reason) == ("val/a#0", Reason.SIZE_MISMATCH)
    assert problem.detail.endswith("made for an image of 100 x 70; it has 100 x 60 pixels")


def test_fractions_become_pixels_without_a_word() -> None:
    thing = SourceObject("dog", (0.25, 0.5, 0.5, 1), frame=(1, 1))
    rows, _, moves, _ = judge_boxes(record(thing), ImageShape(8, 4))
    assert (corners(rows[0]), rows[0]["area"], moves) == ([2, 2, 4, 4], 4, set())


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((3, 3, 3, 4), Reason.EMPTY_BOX),
        ((3, 3, 2, 2), Reason.EMPTY_BOX),
        ((20, 3, 24, 7), Reason.OUTSIDE_BOX),
        ((1e300, 2, 2e300, 4), Reason.BAD_BOX),
        ((float("nan"), 2, 3, 4), Reason.BAD_BOX),
    ],
)
def test_an_impossible_box_is_refused(
    box: tuple[float, float, float, float], reason: Reason
) -> None:
    rows, problems, _, _ = judge_boxes(record(SourceObject("dog", box)), ImageShape(12, 8))
    assert (rows, [problem.reason for problem in problems]) == ([], [reason])


def test_a_box_partly_outside_is_cut() -> None:
    box = SourceObject("dog", (-2, 5, 98, 105))
    rows, _, _, cut = judge_boxes(record(box), ImageShape(12, 8))
    assert (corners(rows[0]), rows[0]["area"]) == ([0, 5, 12, 8], 36)
    assert cut == [pytest.approx(36 / 10_000)]


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((0, 0, 12, 8), []),
        ((-0.5, 0, 12.5, 8.004), []),  # rounded by whoever wrote it
        ((6, 0, 13, 8), [6 / 7]),
        ((6, -3, 12, 1), [1 / 4]),
        ((20, 3, 24, 7), []),  # refused, so it is not cut
    ],
)
def test_a_box_that_rounding_alone_puts_over_the_border_is_not_counted_as_cut(
    box: tuple[float, float, float, float], cut: list[float]
) -> None:
    assert judge_boxes(record(SourceObject("dog", box)), ImageShape(12, 8)).cut == pytest.approx(
        cut
    )
