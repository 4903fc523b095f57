"""Contact sheets: images with boxes and text, arranged in rows."""

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
    """A box in pixels of its image, the text at its corner, and its colour."""

    box: tuple[float, float, float, float]
    words: str
    colour: str = NEUTRAL


@dataclass(frozen=True)
class Panel:
    """One image of a sheet with its marks, a title above and a text below."""

    pixels: NDArray[np.uint8]
    marks: Sequence[Mark]
    title: str = ""
    text: str = ""


def save_sheet(path: Path, rows: Sequence[Sequence[Panel]], scale: float = 1.6) -> None:
    """Write panels as a PNG, row by row; images are enlarged by `scale` so that the text fits."""
    rendered = [[_render(panel, scale) for panel in row] for row in rows]
    width = max(sum(image.width + _MARGIN for image in row) for row in rendered) + _MARGIN
    height = sum(max(image.height for image in row) + _MARGIN for row in rendered) + _MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    y = _MARGIN
    for row in rendered:
        x = _MARGIN
        for image in row:
            sheet.paste(image, (x, y))
            x += image.width + _MARGIN
        y += max(image.height for image in row) + _MARGIN
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _render(panel: Panel, scale: float) -> Image.Image:
    height, width = panel.pixels.shape[:2]
    size = (round(width * scale), round(height * scale))
    image = Image.fromarray(panel.pixels).resize(size, Image.Resampling.LANCZOS)
    drawing = ImageDraw.Draw(image)
    for mark in panel.marks:
        drawing.rectangle([edge * scale for edge in mark.box], outline=mark.colour, width=2)
    for mark in panel.marks:  # text last, so that no box crosses it
        _write_mark(drawing, mark, scale, size)
    lines = textwrap.wrap(_printable(panel.text), max(20, size[0] // 7))
    title_height = _LINE + 5 if panel.title else 0
    panel_image = Image.new(
        "RGB", (size[0], title_height + size[1] + _LINE * len(lines) + 4), "white"
    )
    panel_image.paste(image, (0, title_height))
    texts = ImageDraw.Draw(panel_image)
    texts.text((0, 0), _printable(panel.title), fill="black", font=_font(14))
    for number, line in enumerate(lines):
        y = title_height + size[1] + 3 + number * _LINE
        texts.text((0, y), line, fill="#444444", font=_font(12))
    return panel_image


def _write_mark(
    drawing: ImageDraw.ImageDraw, mark: Mark, scale: float, size: tuple[int, int]
) -> None:
    words = _printable(mark.words)
    if not words:
        return
    left, top, right, bottom = drawing.textbbox((0, 0), words, font=_font(12))
    tag_width, tag_height = right - left + 6, bottom - top + 5
    x = min(max(0, mark.box[0] * scale), max(0, size[0] - tag_width))
    y = max(0, mark.box[1] * scale - tag_height)
    drawing.rectangle((x, y, x + tag_width, y + tag_height), fill=mark.colour)
    drawing.text((x + 3 - left, y + 2 - top), words, fill="white", font=_font(12))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _printable(text: str) -> str:
    """The text in one line, without unprintable characters, at most 400 of them."""
    return "".join(c if c.isprintable() else " " for c in text)[:400]
