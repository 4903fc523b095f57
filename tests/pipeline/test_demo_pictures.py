"""The pictures of the demo, of a few synthetic scenes with toy stages behind the real tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pipeline import demo_pictures
from pipeline.contact_sheets import NEUTRAL, RIGHT, WRONG
from tests.pipeline.demo_store import NUM_HOLDOUT, DemoStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.contact_sheets import Panel

pytestmark = pytest.mark.slow


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Sequence[Sequence[Panel]], str]]:
    """The panels and the legend of every sheet that is saved."""
    saved: list[tuple[Sequence[Sequence[Panel]], str]] = []
    save_sheet = demo_pictures.save_sheet

    def save(path: Path, rows: Sequence[Sequence[Panel]], legend: str = "") -> None:
        saved.append((rows, legend))
        save_sheet(path, rows, legend=legend)

    monkeypatch.setattr(demo_pictures, "save_sheet", save)
    return saved


def test_the_comparison_has_a_row_per_model_and_a_panel_per_scene(
    demo_store: DemoStore, tmp_path: Path, sheets: Any
) -> None:
    address = demo_store.metrics[0].address
    path = demo_pictures.save_comparison_sheet(
        demo_store.root, ("teacher", address), ("student", address), tmp_path / "pictures"
    )
    assert path == tmp_path / "pictures" / "teacher_and_student.png"
    with Image.open(path) as image:
        assert image.width > 2 * 320 * 1.6
    (((teacher, student), legend),) = sheets
    assert len(teacher) == len(student) == NUM_HOLDOUT
    assert [panel.title.split(":")[0] for panel in (teacher[0], student[0])] == [
        "teacher",
        "student",
    ]
    assert [panel.title.partition("right")[2] for panel in student] == [
        " (10th percentile of the gain: 0)",
        " (90th percentile of the gain: 0)",
    ]
    assert "percentile" in legend


def test_right_and_wrong_names_are_counted_coloured_and_corrected(
    demo_store: DemoStore, tmp_path: Path, sheets: Any
) -> None:
    model = ("model", demo_store.metrics[0].address)
    demo_pictures.save_comparison_sheet(demo_store.root, model, model, tmp_path)
    ((((first, second), _), _),) = sheets
    for panel in (first, second):
        wrong = [mark for mark in panel.marks if mark.words.startswith("nothing (is ")]
        assert wrong
        assert {mark.colour for mark in wrong} == {WRONG}
        assert {mark.colour for mark in panel.marks if mark not in wrong} == {RIGHT}
        right = len(panel.marks) - len(wrong)
        assert panel.title == f"model: {right} of {len(panel.marks)} right"
        areas = [(m.box[2] - m.box[0]) * (m.box[3] - m.box[1]) for m in panel.marks]
        assert areas == sorted(areas, reverse=True)  # small boxes are drawn over large ones


def test_the_label_sheet_shows_each_concept_once_and_judges_it(
    demo_store: DemoStore, tmp_path: Path, sheets: Any
) -> None:
    path = demo_pictures.save_pseudo_label_sheet(
        demo_store.root, demo_store.labels.address, tmp_path
    )
    assert path == tmp_path / "pseudo_labels.png"
    (((panels,), legend),) = sheets
    assert 0 < len(panels) <= 3
    assert "probability > 0.5" in legend
    shares = []
    for panel in panels:
        assert panel.pixels.shape == (256, 320, 3)
        names = [mark.words.split(" (is ")[0].rsplit(" ", 1) for mark in panel.marks]
        assert len(names) == len({concept for concept, _ in names}) > 0
        probabilities = [float(probability) for _, probability in names]
        assert probabilities == sorted(probabilities, reverse=True)
        assert min(probabilities) >= 0.5
        for mark in panel.marks:
            assert (mark.colour == WRONG) == ("(is " in mark.words)
        right = sum(mark.colour == RIGHT for mark in panel.marks)
        assert panel.title.endswith(f": {right} of {len(panel.marks)} pseudo-labels right")
        assert " / " in panel.text
        shares.append(right / len(panel.marks))
    assert shares == sorted(shares)


def test_a_label_is_right_on_an_object_of_its_name_or_a_synonym_of_it() -> None:
    place = {"probability": 0.75, "x0": 0, "y0": 0, "x1": 9, "y1": 9}
    rows = [
        {"concept": "bus", "truth": "bus", **place},
        {"concept": "coach", "truth": "bus", **place},
        {"concept": "coach", "truth": "train", **place},
        {"concept": "sky", "truth": None, **place},
        {"concept": "bus", "truth": None, **place},
    ]
    marks = [demo_pictures._label_mark(row) for row in demo_pictures._judged(rows)]
    assert [(mark.words, mark.colour) for mark in marks] == [
        ("bus 0.75", RIGHT),
        ("coach 0.75", RIGHT),
        ("coach 0.75 (is train)", WRONG),
        ("sky 0.75", NEUTRAL),
        ("bus 0.75", NEUTRAL),
    ]
    assert demo_pictures._num_right(demo_pictures._judged(rows)) == 2


def test_scenes_are_those_at_three_percentiles_each_once() -> None:
    choose = demo_pictures._at_percentiles
    assert choose(range(101)) == {"10th percentile": 10, "median": 50, "90th percentile": 90}
    assert list(choose("abc").values()) == ["a", "b", "c"]
    assert choose("a") == {"10th percentile": "a"}
    assert choose("") == {}


def test_nothing_to_show_makes_no_picture(tmp_path: Path) -> None:
    assert demo_pictures._save(tmp_path / "none.png", [[], []], "legend") is None
    assert not list(tmp_path.iterdir())


def test_sheets_show_the_pixels_of_their_images(
    demo_store: DemoStore, tmp_path: Path, sheets: Any
) -> None:
    model = ("model", demo_store.metrics[0].address)
    demo_pictures.save_comparison_sheet(demo_store.root, model, model, tmp_path)
    (((panels, _), _),) = sheets
    shown = {panel.pixels.tobytes() for panel in panels}
    for path in (demo_store.folder / "holdout/images/holdout").iterdir():
        with Image.open(path) as image:
            assert np.asarray(image).tobytes() in shown
