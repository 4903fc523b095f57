"""Backgrounds: plain ones for web images, textured ones for scenes. All are (H, W, 3) float32.

Textures are broadcast from a few rows and columns, or enlarged from coarse noise, so that
a scene is cheap to render.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    FloatImage = NDArray[np.float32]
    Rng = np.random.Generator


def plain_background(width: int, height: int, rng: Rng) -> FloatImage:
    """A light or coloured background, uniform or with a weak gradient."""
    tint = rng.uniform(0, 1, 3)
    base = np.asarray(255 - tint * rng.choice([12.0, 45.0, 110.0], p=[0.45, 0.4, 0.15]))
    image = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
    if rng.random() < 0.6:
        down, across = rng.uniform(-28, 28, 2)
        ramp = np.linspace(-0.5, 0.5, height)[:, None] * down
        ramp = ramp + np.linspace(-0.5, 0.5, width)[None, :] * across
        image += ramp[..., None].astype(np.float32)
    return image


def textured_background(width: int, height: int, rng: Rng) -> tuple[FloatImage, str]:
    """A texture, or a place made of two textures, and the key of its caption phrase."""
    if rng.random() < 0.45:
        return _two_textures(width, height, rng)
    noun = str(rng.choice(list(TEXTURES)))
    return TEXTURES[noun](width, height, rng), noun


def _two_textures(width: int, height: int, rng: Rng) -> tuple[FloatImage, str]:
    """A far texture above a near one, with a horizon between them."""
    far, near, noun = PLACES[int(rng.integers(len(PLACES)))]
    horizon = int(height * rng.uniform(0.3, 0.62))
    image = np.concatenate(
        [TEXTURES[far](width, horizon, rng), TEXTURES[near](width, height - horizon, rng)]
    )
    image[horizon - 1 : horizon + 1] *= np.float32(0.8)
    return image, noun


def _smooth_noise(width: int, height: int, cell: tuple[float, float], rng: Rng) -> FloatImage:
    """Smooth noise (H, W, 1) with mean 0, values about -1 to 1 and grain size `cell` (x, y)."""
    shape = max(2, round(height / cell[1])), max(2, round(width / cell[0]))
    coarse = rng.standard_normal(shape, dtype=np.float32) * 0.6
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(smooth)[..., None]


def _vary_colour(rng: Rng, *choices: tuple[int, int, int]) -> FloatImage:
    chosen = np.array(choices[int(rng.integers(len(choices)))])
    return (chosen + rng.uniform(-14, 14, 3)).astype(np.float32)


def _grass(width: int, height: int, rng: Rng) -> FloatImage:
    base = _vary_colour(rng, (104, 158, 66), (86, 138, 62), (150, 164, 78))
    blades = (
        _smooth_noise(width, height, (1.6, 6.0), rng) * 17
        + _smooth_noise(width, height, (50, 30), rng) * 16
    )
    image: FloatImage = base + blades * np.array([1.0, 1.0, 0.6], dtype=np.float32)
    return image


def _sand(width: int, height: int, rng: Rng) -> FloatImage:
    base = _vary_colour(rng, (226, 202, 150), (208, 182, 138), (232, 214, 178))
    return (
        base
        + _smooth_noise(width, height, (1.2, 1.2), rng) * 8
        + _smooth_noise(width, height, (60, 14), rng) * 12
    )


def _water(width: int, height: int, rng: Rng) -> FloatImage:
    base = _vary_colour(rng, (62, 130, 186), (70, 156, 176), (48, 98, 150))
    waves: FloatImage = np.maximum(_smooth_noise(width, height, (26, 4), rng), 0)
    return base + waves * 46 + _smooth_noise(width, height, (80, 50), rng) * 10


def _sky(width: int, height: int, rng: Rng) -> FloatImage:
    top = _vary_colour(rng, (92, 156, 226), (120, 180, 232), (236, 160, 120))
    ramp = np.linspace(0, 0.6, height, dtype=np.float32)[:, None, None]
    clouds = (
        _smooth_noise(width, height, (46, 18), rng)
        + _smooth_noise(width, height, (14, 8), rng) * 0.5
    )
    cover: FloatImage = np.clip(clouds * 1.6 - 0.25, 0, 0.9)
    blue = top * (1 - ramp) + 240 * ramp
    image: FloatImage = blue * (1 - cover) + 250 * cover
    return image


def _night(width: int, height: int, rng: Rng) -> FloatImage:
    top = _vary_colour(rng, (28, 34, 74), (44, 32, 78), (22, 42, 66))
    ramp = np.linspace(0.75, 1.35, height, dtype=np.float32)[:, None, None]
    image = np.broadcast_to(top * ramp, (height, width, 3)).copy()
    count = width * height // 700
    rows, columns = rng.integers(0, height, count), rng.integers(0, width, count)
    image[rows, columns] += rng.uniform(60, 190, (count, 1)).astype(np.float32)
    return image


def _brick(width: int, height: int, rng: Rng) -> FloatImage:
    h = int(rng.integers(12, 20))
    w = int(h * rng.uniform(2.0, 2.6))
    base = _vary_colour(rng, (176, 92, 70), (196, 178, 160), (150, 104, 88))
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    row = y // h
    column = (x + (row % 2) * (w // 2)) // w
    hue = rng.uniform(-20, 20, (height // h + 1, width // w + 2)).astype(np.float32)
    bricks: FloatImage = base + hue[row, column][..., None]
    mortar = (y % h < 2) | ((x + (row % 2) * (w // 2)) % w < 2)
    bricks[mortar] = base * 0.35 + 140
    bricks += _smooth_noise(width, height, (2, 2), rng) * 7
    return bricks


def _wood(width: int, height: int, rng: Rng) -> FloatImage:
    h = int(rng.integers(18, 40))
    base = _vary_colour(rng, (178, 128, 80), (140, 96, 62), (206, 170, 124))
    y = np.arange(height)[:, None]
    hue = rng.uniform(-16, 16, height // h + 1).astype(np.float32)
    boards = base + hue[y // h][..., None] + _smooth_noise(width, height, (50, 2.2), rng) * 15
    boards[(y % h < 2)[:, 0]] *= np.float32(0.62)
    return boards


def _tiles(width: int, height: int, rng: Rng) -> FloatImage:
    s = int(rng.integers(22, 44))
    base = _vary_colour(rng, (214, 216, 214), (170, 200, 206), (220, 204, 184))
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    hue = rng.uniform(-12, 12, (height // s + 1, width // s + 1)).astype(np.float32)
    tiles = base + hue[y // s, x // s][..., None]
    tiles[(y % s < 2) | (x % s < 2)] = base * 0.7
    return tiles + _smooth_noise(width, height, (60, 60), rng) * 8


def _checks(width: int, height: int, rng: Rng) -> FloatImage:
    s = int(rng.integers(14, 34))
    first, second = _muted_colour(rng), _muted_colour(rng)
    y, x = np.arange(height)[:, None] // s % 2, np.arange(width)[None, :] // s % 2
    weight = ((y + x) / 2).astype(np.float32)[..., None]  # 0, 0.5 and 1, as in a woven cloth
    return first * (1 - weight) + second * weight + _smooth_noise(width, height, (2, 2), rng) * 4


def _stripes(width: int, height: int, rng: Rng) -> FloatImage:
    s = int(rng.integers(10, 30))
    slant = float(rng.choice([0.0, 0.0, 0.5, 1.0]))
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    odd = (((x + slant * y) // s).astype(np.int64) % 2)[..., None]
    return (
        np.where(odd == 1, _muted_colour(rng), _muted_colour(rng))
        + _smooth_noise(width, height, (40, 40), rng) * 6
    )


def _dots(width: int, height: int, rng: Rng) -> FloatImage:
    s = int(rng.integers(16, 30))
    r = s * rng.uniform(0.15, 0.3)
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    shift = (y // s % 2) * (s // 2)
    inside = np.hypot(y % s - s / 2, (x + shift) % s - s / 2) < r
    return np.where(inside[..., None], _muted_colour(rng), _muted_colour(rng))


def _gravel(width: int, height: int, rng: Rng) -> FloatImage:
    base = _vary_colour(rng, (150, 148, 146), (120, 116, 114), (164, 152, 138))
    grain = (
        _smooth_noise(width, height, (3, 2.5), rng) * 18
        + _smooth_noise(width, height, (9, 7), rng) * 12
    )
    return base + grain


def _wall(width: int, height: int, rng: Rng) -> FloatImage:
    base = _muted_colour(rng)
    return (
        base
        + _smooth_noise(width, height, (90, 90), rng) * 14
        + _smooth_noise(width, height, (2, 2), rng) * 3
    )


def _snow(width: int, height: int, rng: Rng) -> FloatImage:
    base = _vary_colour(rng, (232, 238, 246), (214, 224, 238))
    return (
        base
        + _smooth_noise(width, height, (50, 18), rng) * 12
        + _smooth_noise(width, height, (1.5, 1.5), rng) * 4
    )


def _muted_colour(rng: Rng) -> FloatImage:
    """A random muted colour, light more often than dark."""
    level = float(rng.choice([110.0, 165.0, 205.0], p=[0.25, 0.4, 0.35]))
    return np.asarray(level + rng.uniform(-45, 45, 3), dtype=np.float32)


TEXTURES: dict[str, Callable[[int, int, Rng], FloatImage]] = {
    "grass": _grass,
    "sand": _sand,
    "water": _water,
    "sky": _sky,
    "night": _night,
    "brick": _brick,
    "wood": _wood,
    "tiles": _tiles,
    "cloth": _checks,
    "stripes": _stripes,
    "dots": _dots,
    "gravel": _gravel,
    "wall": _wall,
    "snow": _snow,
}
PLACES = (
    ("sky", "grass", "meadow"),
    ("sky", "sand", "beach"),
    ("sky", "water", "sea"),
    ("sky", "gravel", "road"),
    ("sky", "snow", "winter"),
    ("night", "grass", "night"),
    ("night", "gravel", "night"),
    ("brick", "gravel", "street"),
    ("brick", "wood", "kitchen"),
    ("wall", "wood", "room"),
    ("wall", "tiles", "kitchen"),
    ("stripes", "wood", "room"),
    ("dots", "cloth", "nursery"),
)
