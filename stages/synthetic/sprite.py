"""Sprites: rendered objects, one each, with an alpha channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from schemas.errors import OptionError
from stages.synthetic.categories import BRIGHT_COLOURS, COLOURS
from stages.synthetic.shape_canvas import ShapeCanvas, tone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.synthetic.categories import Category
    from stages.synthetic.shape_canvas import Colour

VISIBLE_ALPHA = 96  # alpha from which a pixel counts as part of the object


@dataclass(frozen=True)
class Sprite:
    """One rendered object.

    Attributes:
        category: Its category.
        colour: Name of its main colour.
        pixels: (h, w, 4) uint8, colour and alpha; no border row or column is wholly transparent.
    """

    category: Category
    colour: str
    pixels: NDArray[np.uint8]


def render_sprite(category: Category, side: float, rng: np.random.Generator) -> Sprite:
    """Render one object whose longer side is about `side` pixels.

    Args:
        category: Category of the object.
        side: Approximate length of the longer side of its box, in pixels.
        rng: Decides colour, proportions, tilt, flip, light and details.

    Raises:
        OptionError: If no pixel of the object is visible.
    """
    colour = str(rng.choice(category.colours))
    accent = str(rng.choice([c for c in BRIGHT_COLOURS if c != colour]))
    oversampling = 3 if side < 64 else 2  # thin lines of small objects need more pixels
    radius = side * oversampling / 2
    half = math.ceil(radius * 1.55)  # room for a rotated, stretched unit square
    sheet = Image.new("RGBA", (2 * half, 2 * half), (0, 0, 0, 0))
    matrix = _affine_matrix(category, radius, half, rng)
    canvas = ShapeCanvas(
        sheet,
        matrix,
        rng,
        _jitter_colour(COLOURS[colour], rng),
        _jitter_colour(COLOURS[accent], rng),
    )
    category.render(canvas)
    box = sheet.getbbox() or (0, 0, 1, 1)
    sheet = sheet.crop(_expand_box(box, 2 * oversampling, 2 * half))
    sheet = _add_outline(sheet, canvas.main, oversampling, rng)
    pixels = _trim_transparent(_add_shading(np.asarray(sheet.reduce(oversampling)), rng))
    if pixels.size == 0:
        raise OptionError(
            f"render_sprite: {category.name} at {side} pixels has no visible pixel; "
            "give a longer side."
        )
    return Sprite(category, colour, pixels)


def _affine_matrix(
    category: Category, radius: float, half: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Affine map (2, 3) from unit coordinates to the sheet: stretch, flip, rotate, centre."""
    angle = math.radians(rng.uniform(-category.max_tilt, category.max_tilt))
    stretch = math.exp(rng.uniform(-0.12, 0.12))
    flip = -1.0 if category.can_flip and rng.random() < 0.5 else 1.0
    c, s = math.cos(angle), math.sin(angle)
    linear = np.array([[c, -s], [s, c]]) @ np.diag([flip * radius * stretch, radius / stretch])
    return np.concatenate([linear, [[half], [half]]], axis=1)


def _jitter_colour(colour: Colour, rng: np.random.Generator) -> Colour:
    """The colour with random changes of brightness and hue, so that no two reds are equal."""
    jittered = np.array(colour) * rng.uniform(0.86, 1.1) + rng.uniform(-14, 14, 3)
    r, g, b = np.clip(jittered, 12, 250).round().astype(int).tolist()
    return r, g, b


def _expand_box(
    box: tuple[int, int, int, int], margin: int, limit: int
) -> tuple[int, int, int, int]:
    return (
        max(0, box[0] - margin),
        max(0, box[1] - margin),
        min(limit, box[2] + margin),
        min(limit, box[3] + margin),
    )


def _add_outline(
    sheet: Image.Image, main: Colour, oversampling: int, rng: np.random.Generator
) -> Image.Image:
    """Put a thin dark outline under most objects."""
    if rng.random() < 0.3:
        return sheet
    alpha = sheet.getchannel("A").filter(ImageFilter.MaxFilter(2 * (oversampling // 2) + 1))
    outline = Image.new("RGBA", sheet.size, (*tone(main, 0.42), 255))
    outline.putalpha(alpha)
    return Image.alpha_composite(outline, sheet)


def _add_shading(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light from one side: a linear ramp over the colours; alpha stays the same."""
    h, w = pixels.shape[:2]
    strength, tilt = rng.uniform(0.05, 0.2), rng.uniform(-0.7, 0.7)
    down = np.linspace(strength, -strength, h, dtype=np.float32)[:, None]
    across = np.linspace(strength * tilt, -strength * tilt, w, dtype=np.float32)[None, :]
    shaded = pixels.astype(np.float32)
    shaded[..., :3] *= (1.0 + down + across)[..., None]
    return np.clip(shaded, 0, 255).astype(np.uint8)


def _trim_transparent(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut off border rows and columns without visible pixels."""
    visible = pixels[..., 3] >= VISIBLE_ALPHA
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if len(rows) == 0:
        return pixels[:0, :0]
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
