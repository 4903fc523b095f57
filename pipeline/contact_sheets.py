"""Pictures to look at: images with boxes and words drawn on them, laid out on a sheet."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

RIGHT, WRONG, NEUTRAL = "#1a9850", "#d73027", "#2166ac"
_MARGIN = 12  # pixels between panels
_LINE = 15  # pixels of a line of text below a panel


@dataclass(frozen=True)
class Mark:
    """A box in pixels of its image, the words at its corner, and its colour."""

    box: tuple[float, float, float, float]
    words: str
    colour: str = NEUTRAL


@dataclass(frozen=True)
class Panel:
    """One image of a sheet with its marks, and a title and text around it."""

    pixels: NDArray[np.uint8]
    marks: Sequence[Mark]
    title: str = ""
    text: str = ""


def save_sheet(path: Path, rows: Sequence[Sequence[Panel]], scale: float = 1.6) -> None:
    """Write panels as a PNG, row by row; images are enlarged by `scale` so that words fit."""
    drawn = [[_draw(panel, scale) for panel in row] for row in rows]
    width = max(sum(image.width + _MARGIN for image in row) for row in drawn) + _MARGIN
    height = sum(max(image.height for image in row) + _MARGIN for row in drawn) + _MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    y = _MARGIN
    for row in drawn:
        x = _MARGIN
        for image in row:
            sheet.paste(image, (x, y))
            x += image.width + _MARGIN
        y += max(image.height for image in row) + _MARGIN
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _draw(panel: Panel, scale: float) -> Image.Image:
    height, width = panel.pixels.shape[:2]
    size = (round(width * scale), round(height * scale))
    image = Image.fromarray(panel.pixels).resize(size, Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(image)
    for mark in panel.marks:
        pen.rectangle([edge * scale for edge in mark.box], outline=mark.colour, width=2)
    for mark in panel.marks:  # words last, so that no box runs through them
        _tag(pen, mark, scale, size)
    lines = textwrap.wrap(_readable(panel.text), max(20, size[0] // 7))
    above = _LINE + 5 if panel.title else 0
    full = Image.new("RGB", (size[0], above + size[1] + _LINE * len(lines) + 4), "white")
    full.paste(image, (0, above))
    words = ImageDraw.Draw(full)
    words.text((0, 0), _readable(panel.title), fill="black", font=_font(14))
    for number, line in enumerate(lines):
        y = above + size[1] + 3 + number * _LINE
        words.text((0, y), line, fill="#444444", font=_font(12))
    return full


def _tag(pen: ImageDraw.ImageDraw, mark: Mark, scale: float, size: tuple[int, int]) -> None:
    words = _readable(mark.words)
    if not words:
        return
    left, top, right, bottom = pen.textbbox((0, 0), words, font=_font(12))
    wide, high = right - left + 6, bottom - top + 5
    x = min(max(0, mark.box[0] * scale), max(0, size[0] - wide))
    y = max(0, mark.box[1] * scale - high)
    pen.rectangle((x, y, x + wide, y + high), fill=mark.colour)
    pen.text((x + 3 - left, y + 2 - top), words, fill="white", font=_font(12))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _readable(text: str) -> str:
    """One line without what the font cannot draw."""
    return "".join(c if c.isprintable() else " " for c in text)[:400]
