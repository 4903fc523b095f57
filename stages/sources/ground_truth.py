"""Ground truth of an image: boxes of a source, judged against the image that was really read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from schemas.boxes import area, clip
from schemas.quarantine import Reason
from stages.sources.box_frames import move_into
from stages.sources.record import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.sources.box_frames import Frame, ImageShape, Move
    from stages.sources.record import Record, SourceObject


_ROUNDED: Final = 0.5  # pixels; a side that leaves the image by less does so by rounding


class GroundTruth(NamedTuple):
    """What became of the boxes of an image.

    Attributes:
        rows: Objects as `images` has them, their boxes in pixels of the upright image, cut at its
            borders.
        problems: One for each box that was refused.
        moves: What was done because boxes were made for an image of another size: any of scaled,
            turned, refused.
        cut: Share of its area that each box that was cut has left, in (0, 1); without boxes that
            reach over the border by rounding alone.
    """

    rows: list[dict[str, Any]]
    problems: list[Problem]
    moves: set[str]
    cut: list[float]


def judge_boxes(record: Record, shape: ImageShape) -> GroundTruth:
    """The boxes of a record that can be believed, and why the others cannot."""
    truth = GroundTruth([], [], set(), [])
    moves: dict[Frame | None, Move | None] = {}
    for number, thing in enumerate(record.objects):
        if thing.frame not in moves:
            moves[thing.frame] = move_into(thing.frame, shape)
        move = moves[thing.frame]
        refused = _refuse_or_add(truth, thing, move, shape)
        if refused:
            truth.problems.append(Problem(f"{record.image_id}#{number}", *refused))
    truth.moves.update(*(_names(frame, move) for frame, move in moves.items()))
    return truth


def _refuse_or_add(
    truth: GroundTruth, thing: SourceObject, move: Move | None, shape: ImageShape
) -> tuple[Reason, str] | None:
    """Add the row of an object; the reason and a sentence if its box cannot be used."""
    size = f"{shape.width} x {shape.height} pixels"
    if move is None:
        width, height = thing.frame or (0, 0)
        made_for = f"was made for an image of {width:g} x {height:g}; it has {size}"
        return Reason.SIZE_MISMATCH, f"box {list(thing.box)} of {thing.category!r} {made_for}"
    with np.errstate(over="ignore"):  # becomes infinite, and is refused below
        box = move.apply(np.array([thing.box])).astype(np.float32)  # (1, 4)
    inside = clip(box, shape.width, shape.height)
    reason = _box_problem(box, inside)
    if reason:
        return reason, f"box {list(thing.box)} of {thing.category!r} in {size}"
    truth.rows.append(_object(thing, inside, move.scale[0] * move.scale[1]))
    if np.abs(box - inside).max() > _ROUNDED:
        truth.cut.append(float(area(inside)[0] / area(box)[0]))
    return None


def _names(frame: Frame | None, move: Move | None) -> set[str]:
    if move is None:
        return {"refused"}
    is_scaled = move.scale != (1, 1) and frame != (1, 1)
    return {name for name, done in (("scaled", is_scaled), ("turned", move.turned)) if done}


def _box_problem(box: NDArray[np.float32], inside: NDArray[np.float32]) -> Reason | None:
    if not np.isfinite(box).all():
        return Reason.BAD_BOX
    if area(box)[0] <= 0:
        return Reason.EMPTY_BOX
    return Reason.OUTSIDE_BOX if area(inside)[0] <= 0 else None


def _object(thing: SourceObject, inside: NDArray[np.float32], scale: float) -> dict[str, Any]:
    x0, y0, x1, y1 = inside[0].tolist()
    return {
        "category": thing.category,
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "area": float(area(inside)[0]) if thing.area is None else thing.area * scale,
        "is_crowd": thing.is_crowd,
    }
