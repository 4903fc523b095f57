"""The pictures of the demo: pseudo-labels of some scenes, and what two models name in others.

Scenes are chosen by a rule, not by their looks: all of them are put in order, by how many names are
right or by what the student gains, and those at three percentiles are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pipeline.contact_sheets import NEUTRAL, RIGHT, WRONG, Mark, Panel, save_sheet
from pipeline.sql import connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Row = dict[str, Any]
    T = TypeVar("T")

_PERCENTILES: Final = {10: "10th percentile", 50: "median", 90: "90th percentile"}
_LEARNED: Final = "probability > 0.5"  # as in the recipe: what our student learns from
_LABELS: Final = f"""
SELECT image_id, concept, truth, probability, x0, y0, x1, y1 FROM judged_labels
WHERE kept AND in_caption AND {_LEARNED}
QUALIFY row_number() OVER (
    PARTITION BY image_id, concept ORDER BY probability * objectness DESC, region) = 1
ORDER BY image_id, probability DESC, concept
"""
_NAMES: Final = """
SELECT image_id, category, truth, x0, y0, x1, y1 FROM evaluated_detections
ORDER BY image_id, (x1 - x0) * (y1 - y0) DESC, detection
"""
_LABEL_LEGEND: Final = (
    f"Pseudo-labels that the student learns from ({_LEARNED}): of each concept that a caption "
    "mentions, the box with the highest probability times objectness. Green: on an object of that "
    "name (IoU 0.5). Red: on another object, which is named. Blue: on none. Scenes: the 10th "
    "percentile, median and 90th percentile of the share that is green."
)
_NAME_LEGEND: Final = (
    "Names given to the ground-truth boxes of held-out scenes. Green: right. Red: wrong, with what "
    "it is. Scenes: the 10th percentile, median and 90th percentile of the student's gain, in "
    "boxes named rightly, as a share of the boxes of a scene."
)


@dataclass(frozen=True)
class _Scene:
    """One held-out scene, with the names that two models give to its boxes."""

    image_id: str
    teacher: Sequence[Row]
    student: Sequence[Row]

    @property
    def gain(self) -> int:
        """Boxes that the student names rightly, less those of the teacher."""
        return _num_right(self.student) - _num_right(self.teacher)


def save_pseudo_label_sheet(root: Path, labels: str, out: Path) -> Path | None:
    """Save training scenes with pseudo-labels; return the path, or None if there are none."""
    with connect(root, [labels]) as connection:
        by_image = _grouped(_judged(_fetch(connection, _LABELS)))
        ordered = sorted(
            by_image, key=lambda image_id: (_share_right(by_image[image_id]), image_id)
        )
        panels = []
        for where, image_id in _at_percentiles(ordered).items():
            rows, image = by_image[image_id], _image(connection, image_id)
            title = f"{where}: {_num_right(rows)} of {len(rows)} pseudo-labels right"
            captions = " / ".join(image["captions"])
            marks = [_label_mark(row) for row in rows]
            panels.append(Panel(_decode(image), marks, title, captions))
    return _save(out / "pseudo_labels.png", [panels], _LABEL_LEGEND)


def save_comparison_sheet(
    root: Path, teacher: tuple[str, str], student: tuple[str, str], out: Path
) -> Path | None:
    """Save held-out scenes with the names that two models give to the ground-truth boxes.

    Args:
        root: The store.
        teacher: A name for people, and the address of an evaluation.
        student: Likewise.
        out: The folder of the picture.

    Returns:
        The path, or None if no scene has a box.
    """
    sides = []
    for _, address in (teacher, student):
        with connect(root, [address]) as connection:
            sides.append(_grouped(_fetch(connection, _NAMES)))
    scenes = [_Scene(image_id, rows, sides[1][image_id]) for image_id, rows in sides[0].items()]
    ordered = sorted(scenes, key=lambda one: (one.gain / len(one.teacher), one.image_id))
    rows: list[list[Panel]] = [[], []]
    with connect(root, [teacher[1]]) as connection:
        for where, scene in _at_percentiles(ordered).items():
            pixels = _decode(_image(connection, scene.image_id))
            rows[0].append(_name_panel(pixels, scene.teacher, teacher[0]))
            gain = f" ({where} of the gain: {_signed(scene.gain)})"
            rows[1].append(_name_panel(pixels, scene.student, student[0], gain))
    return _save(out / "teacher_and_student.png", rows, _NAME_LEGEND)


def _name_panel(pixels: Any, rows: Sequence[Row], name: str, more: str = "") -> Panel:
    marks = [_name_mark(row) for row in rows]
    return Panel(pixels, marks, f"{name}: {_num_right(rows)} of {len(rows)} right{more}")


def _name_mark(row: Row) -> Mark:
    if row["category"] == row["truth"]:
        return Mark(_box(row), row["category"], RIGHT)
    return Mark(_box(row), f"{row['category']} (is {row['truth']})", WRONG)


def _label_mark(row: Row) -> Mark:
    words = f"{row['concept']} {row['probability']:.2f}"
    if row["truth"] is None:
        return Mark(_box(row), words, NEUTRAL)
    if row["category"] == row["truth"]:
        return Mark(_box(row), words, RIGHT)
    return Mark(_box(row), f"{words} (is {row['truth']})", WRONG)


def _judged(rows: Sequence[Row]) -> list[Row]:
    """The rows with the category that each concept is a word for: "coach" is a word for bus."""
    from stages.synthetic.categories import CATEGORIES

    category = {word: one.name for one in CATEGORIES for word in (one.name, *one.synonyms)}
    return [{**row, "category": category.get(row["concept"])} for row in rows]


def _num_right(rows: Sequence[Row]) -> int:
    return sum(row["category"] == row["truth"] is not None for row in rows)


def _share_right(rows: Sequence[Row]) -> float:
    return _num_right(rows) / len(rows)


def _signed(count: int) -> str:
    return f"{count:+d}" if count else "0"


def _at_percentiles(ordered: Sequence[T]) -> dict[str, T]:
    """The elements at three percentiles, each once, by the words for the percentile."""
    chosen: dict[int, str] = {}
    for per_cent, words in _PERCENTILES.items() if ordered else ():
        chosen.setdefault(round(per_cent / 100 * (len(ordered) - 1)), words)
    return {words: ordered[position] for position, words in chosen.items()}


def _save(path: Path, rows: Sequence[Sequence[Panel]], legend: str) -> Path | None:
    if not any(rows):
        return None
    save_sheet(path, rows, legend=legend)
    return path


def _grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    by_image: dict[str, list[Row]] = {}
    for row in rows:
        by_image.setdefault(row["image_id"], []).append(row)
    return by_image


def _box(row: Row) -> tuple[float, float, float, float]:
    return row["x0"], row["y0"], row["x1"], row["y1"]


def _image(connection: Any, image_id: str) -> Row:
    (image,) = _fetch(connection, "SELECT * FROM images WHERE image_id = ?", [image_id])
    return image


def _fetch(connection: Any, statement: str, values: Sequence[Any] = ()) -> list[Row]:
    result = connection.execute(statement, list(values))
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _decode(image: Row) -> Any:
    from stages.pixels import load_image

    return load_image(image)
