from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageColor

from pipeline.contact_sheets import NEUTRAL, RIGHT, WRONG, Mark, Panel, _printable, save_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARGIN, LINE, TITLE = 12, 15, 20  # pixels: around panels, per line of text, of a title
GREY = np.full((40, 60, 3), 128, np.uint8)


def sheet(
    tmp_path: Path, rows: Sequence[Sequence[Panel]], scale: float = 1.0
) -> np.ndarray:  # (H, W, 3)
    save_sheet(tmp_path / "folder" / "sheet.png", rows, scale)
    with Image.open(tmp_path / "folder" / "sheet.png") as image:
        assert image.format == "PNG"
        return np.asarray(image)


def has_colour(pixels: np.ndarray, colour: str) -> np.ndarray:
    return (pixels == ImageColor.getrgb(colour)).all(axis=2)


def test_one_panel_lies_inside_a_white_margin(tmp_path: Path) -> None:
    pixels = sheet(tmp_path, [[Panel(GREY, [])]])
    assert pixels.shape == (40 + 4 + 2 * MARGIN, 60 + 2 * MARGIN, 3)
    assert (pixels[MARGIN : MARGIN + 40, MARGIN : MARGIN + 60] == 128).all()
    pixels = pixels.copy()
    pixels[MARGIN : MARGIN + 40, MARGIN : MARGIN + 60] = 255
    assert (pixels == 255).all()


def test_images_are_enlarged_by_the_scale(tmp_path: Path) -> None:
    pixels = sheet(tmp_path, [[Panel(GREY, [])]], scale=1.6)
    assert (pixels == 128).all(axis=2).sum() == 64 * 96


def test_rows_may_have_different_lengths_and_heights(tmp_path: Path) -> None:
    small = Panel(np.full((10, 20, 3), 50, np.uint8), [])
    pixels = sheet(tmp_path, [[small, Panel(GREY, []), small], [Panel(GREY, [])]])
    assert pixels.shape == (2 * (44 + MARGIN) + MARGIN, 20 + 60 + 20 + 4 * MARGIN, 3)
    assert (pixels == 50).all(axis=2).sum() == 2 * 10 * 20
    assert (pixels == 128).all(axis=2).sum() == 2 * 40 * 60


@pytest.mark.parametrize("colour", [RIGHT, WRONG, NEUTRAL])
def test_a_box_is_drawn_in_its_colour_at_its_scaled_position(tmp_path: Path, colour: str) -> None:
    pixels = sheet(tmp_path, [[Panel(GREY, [Mark((10, 15, 40, 30), "", colour)])]], scale=2)
    rows, columns = np.nonzero(has_colour(pixels, colour))
    assert (rows.min() - MARGIN, columns.min() - MARGIN) == (30, 20)
    assert (rows.max() - MARGIN, columns.max() - MARGIN) == (60, 80)
    assert not has_colour(pixels, colour)[MARGIN + 45, MARGIN + 50]  # only the outline


def test_the_default_colour_is_neutral(tmp_path: Path) -> None:
    pixels = sheet(tmp_path, [[Panel(GREY, [Mark((10, 15, 40, 30), "")])]])
    assert has_colour(pixels, NEUTRAL).any()


@pytest.mark.parametrize(
    "box", [(20, 20, 30, 30), (-9, -9, 5, 5), (55, 0, 70, 9), (58, 38, 59, 39)]
)
def test_the_words_of_a_mark_stay_inside_the_image(
    tmp_path: Path, box: tuple[float, float, float, float]
) -> None:
    plain = sheet(tmp_path, [[Panel(GREY, [Mark(box, "")])]])
    pixels = sheet(tmp_path, [[Panel(GREY, [Mark(box, "cat")])]])
    rows, columns = np.nonzero(has_colour(pixels, NEUTRAL) & ~has_colour(plain, NEUTRAL))
    assert len(rows) > 100
    assert rows.min() >= MARGIN
    assert rows.max() < MARGIN + 40
    assert columns.min() >= MARGIN
    assert columns.max() < MARGIN + 60


def test_no_box_crosses_the_words_of_another(tmp_path: Path) -> None:
    words = Mark((5, 25, 55, 38), "cat", RIGHT)
    crossing = Mark((2, 8, 30, 30), "", WRONG)
    orders = [
        sheet(tmp_path, [[Panel(GREY, marks)]]) for marks in ([words, crossing], [crossing, words])
    ]
    tag = np.zeros(orders[0].shape[:2], dtype=bool)
    alone = sheet(tmp_path, [[Panel(GREY, [words])]])
    tag[MARGIN : MARGIN + 24] = has_colour(alone, RIGHT)[MARGIN : MARGIN + 24]
    for pixels in orders:
        assert has_colour(pixels, RIGHT)[tag].all()


def test_a_title_adds_one_line_above_and_text_lines_below(tmp_path: Path) -> None:
    bare = sheet(tmp_path, [[Panel(GREY, [])]])
    titled = sheet(tmp_path, [[Panel(GREY, [], "title")]])
    captioned = sheet(tmp_path, [[Panel(GREY, [], "", "two words here and two lines")]])
    assert titled.shape[0] - bare.shape[0] == TITLE
    assert captioned.shape[0] - bare.shape[0] == 2 * LINE
    assert (titled[MARGIN + TITLE : MARGIN + TITLE + 40, MARGIN : MARGIN + 60] == 128).all()
    assert (titled[MARGIN : MARGIN + TITLE] < 255).any()
    assert (captioned[MARGIN + 40 :] < 255).any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog", "a dog"),
        ("two\nlines\tand tab", "two lines and tab"),
        ("\ud800 lone\x00", "  lone "),
        ("", ""),
        ("x" * 500, "x" * 400),
    ],
)
def test_text_becomes_one_printable_line_of_limited_length(text: str, expected: str) -> None:
    assert _printable(text) == expected


def test_tags_of_equal_boxes_do_not_cover_each_other(tmp_path: Path) -> None:
    marks = [Mark((20, 20, 40, 30), "cat", colour) for colour in (RIGHT, WRONG, NEUTRAL)]
    pixels = sheet(tmp_path, [[Panel(np.full((90, 120, 3), 128, np.uint8), marks)]])
    sizes = {has_colour(pixels, mark.colour)[MARGIN:].sum() for mark in marks[:2]}
    alone = has_colour(sheet(tmp_path, [[Panel(GREY, marks[:1])]]), RIGHT)
    tag_alone = alone[: MARGIN + 19].sum()
    assert min(sizes) >= tag_alone > 100  # the boxes lie on each other, the tags do not


def test_a_legend_adds_lines_below_all_rows(tmp_path: Path) -> None:
    bare = sheet(tmp_path, [[Panel(GREY, [])], [Panel(GREY, [])]])
    legend = "green is right and red is wrong"
    save_sheet(tmp_path / "legend.png", [[Panel(GREY, [])], [Panel(GREY, [])]], 1, legend)
    with Image.open(tmp_path / "legend.png") as image:
        pixels = np.asarray(image)
    assert pixels.shape[0] - bare.shape[0] == 2 * LINE + MARGIN
    assert (pixels[: bare.shape[0] - MARGIN] == bare[:-MARGIN]).all()
    assert (pixels[bare.shape[0] :] < 255).any()
