"""Sprites: one drawn object each, cut out of its surroundings by an alpha channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from schemas.errors import OptionError
from stages.synthetic.categories import ANY, COLOURS
from stages.synthetic.pen import Pen, tone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.synthetic.categories import Category
    from stages.synthetic.pen import Colour

VISIBLE = 96  # alpha from which a pixel counts as part of the object


@dataclass(frozen=True)
class Sprite:
    """One object as drawn.

    Attributes:
        category: What it is.
        colour: Name of its main colour.
        pixels: (h, w, 4) uint8, colour and alpha; no row or column is wholly transparent.
    """

    category: Category
    colour: str
    pixels: NDArray[np.uint8]


def sprite(category: Category, side: float, rng: np.random.Generator) -> Sprite:
    """Draw one object whose longer side is about `side` pixels.

    Args:
        category: What to draw.
        side: Wanted length of the longer side of its box, in pixels.
        rng: Decides colour, proportions, tilt, flip, light and details.

    Raises:
        OptionError: Nothing of the drawing is visible.
    """
    colour = str(rng.choice(category.colours))
    accent = str(rng.choice([c for c in ANY if c != colour]))
    fine = 3 if side < 64 else 2  # thin lines of small objects need the finer sheet
    radius = side * fine / 2
    half = math.ceil(radius * 1.55)  # room for a turned, stretched unit square
    sheet = Image.new("RGBA", (2 * half, 2 * half), (0, 0, 0, 0))
    matrix = _placement(category, radius, half, rng)
    pen = Pen(sheet, matrix, rng, _shift(COLOURS[colour], rng), _shift(COLOURS[accent], rng))
    category.draw(pen)
    box = sheet.getbbox() or (0, 0, 1, 1)
    sheet = _outline(sheet.crop(_grown(box, fine, 2 * half)), pen.main, fine, rng)
    pixels = _trim(_shade(np.asarray(sheet.reduce(fine)), rng))
    if pixels.size == 0:
        raise OptionError(
            f"sprite: {category.name} at {side} pixels shows nothing; ask for a longer side."
        )
    return Sprite(category, colour, pixels)


def _placement(
    category: Category, radius: float, half: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Affine map (2, 3) from unit coordinates to the sheet: stretch, flip, tilt, centre."""
    angle = math.radians(rng.uniform(-category.turn, category.turn))
    stretch = math.exp(rng.uniform(-0.12, 0.12))
    flip = -1.0 if category.flips and rng.random() < 0.5 else 1.0
    c, s = math.cos(angle), math.sin(angle)
    turned = np.array([[c, -s], [s, c]]) @ np.diag([flip * radius * stretch, radius / stretch])
    return np.concatenate([turned, [[half], [half]]], axis=1)


def _shift(colour: Colour, rng: np.random.Generator) -> Colour:
    """The colour, slightly lighter or darker and off in hue, so that no two reds are equal."""
    moved = np.array(colour) * rng.uniform(0.86, 1.1) + rng.uniform(-14, 14, 3)
    r, g, b = np.clip(moved, 12, 250).round().astype(int).tolist()
    return r, g, b


def _grown(box: tuple[int, int, int, int], by: int, limit: int) -> tuple[int, int, int, int]:
    by *= 2
    return (
        max(0, box[0] - by),
        max(0, box[1] - by),
        min(limit, box[2] + by),
        min(limit, box[3] + by),
    )


def _outline(sheet: Image.Image, main: Colour, fine: int, rng: np.random.Generator) -> Image.Image:
    """Put a thin dark rim under the object, in most drawings."""
    if rng.random() < 0.3:
        return sheet
    alpha = sheet.getchannel("A").filter(ImageFilter.MaxFilter(2 * (fine // 2) + 1))
    rim = Image.new("RGBA", sheet.size, (*tone(main, 0.42), 255))
    rim.putalpha(alpha)
    return Image.alpha_composite(rim, sheet)


def _shade(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light from one side: a linear ramp over the colours; alpha untouched."""
    h, w = pixels.shape[:2]
    strength, tilt = rng.uniform(0.05, 0.2), rng.uniform(-0.7, 0.7)
    down = np.linspace(strength, -strength, h, dtype=np.float32)[:, None]
    across = np.linspace(strength * tilt, -strength * tilt, w, dtype=np.float32)[None, :]
    shaded = pixels.astype(np.float32)
    shaded[..., :3] *= (1.0 + down + across)[..., None]
    return np.clip(shaded, 0, 255).astype(np.uint8)


def _trim(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut off the rows and columns that hold nothing visible."""
    visible = pixels[..., 3] >= VISIBLE
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if len(rows) == 0:
        return pixels[:0, :0]
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
