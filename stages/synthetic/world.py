"""The drawn world: web pictures, from which a teacher learns, and scenes, which are harder.

A web picture is small and shows one large thing, sometimes two, mostly before a
plain backdrop. A scene is larger and crowded: things of all sizes that hide parts of
each other, textured places, light of any colour, blur and noise. That
difference is the point: a teacher of whole web pictures meets the regions of
scenes as strangers.

Purity: a picture follows from (kind, seed, index, size) alone, to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from stages.synthetic import backgrounds
from stages.synthetic.captions import Thing, scene_captions, web_captions
from stages.synthetic.categories import CATEGORIES
from stages.synthetic.layout import Layout
from stages.synthetic.sprite import sprite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.synthetic.categories import Category

    Canvas = NDArray[np.float32]

WEB, SCENE = "web", "scene"
_KINDS = {WEB: 1, SCENE: 2}
_TEXTURED = 0.3  # share of web pictures before a texture
_SMALLEST, _LARGEST = 28.0, 110.0  # longer sides of objects in a scene, pixels


@dataclass(frozen=True)
class SyntheticImage:
    """One drawn picture and everything that is true of it.

    Attributes:
        image: (H, W, 3) uint8.
        captions: What people would write about it.
        boxes: (R, 4) float32, x0, y0, x1, y1 in pixels, exclusive ends: the whole
            object, hidden parts included, as far as it lies in the picture.
        categories: R names, in the order of `boxes`.
        kind: "web" or "scene".
    """

    image: NDArray[np.uint8]
    captions: tuple[str, ...]
    boxes: NDArray[np.float32]
    categories: tuple[str, ...]
    kind: str


def web_picture(seed: int, index: int, size: int = 96) -> SyntheticImage:
    """Draw web picture `index` of a seed: square, `size` pixels a side."""
    rng = _generator(WEB, seed, index)
    textured = rng.random() < _TEXTURED
    draw = (lambda *args: backgrounds.textured(*args)[0]) if textured else backgrounds.plain
    canvas = draw(size, size, rng)
    layout = Layout(size, size)
    if rng.random() < 0.78:
        layout.add(sprite(_any(rng), size * rng.uniform(0.55, 0.94), rng), rng, centred=True)
    else:
        for _ in range(2):
            layout.add(sprite(_any(rng), size * rng.uniform(0.42, 0.58), rng), rng)
    canvas = layout.paint(canvas, shadow=0.3 if rng.random() < 0.4 else 0.0)
    canvas += rng.standard_normal(canvas.shape, dtype=np.float32) * np.float32(rng.uniform(0, 3))
    return _picture(WEB, canvas, layout, web_captions(_things(layout), rng))


def scene(
    seed: int, index: int, size: tuple[int, int] = (320, 256), gap: float = 0.5
) -> SyntheticImage:
    """Draw scene `index` of a seed.

    Args:
        seed: Pictures of different seeds have nothing in common.
        index: Which picture of the seed.
        size: Width and height in pixels.
        gap: How far light, blur and noise are from those of a web picture; 0 is not at all.
    """
    rng = _generator(SCENE, seed, index)
    canvas, place = backgrounds.textured(*size, rng)
    layout = Layout(*size)
    pool = _pool(rng)
    sides = _SMALLEST * (_LARGEST / _SMALLEST) ** rng.random(int(rng.integers(6, 12)))
    for side in np.sort(sides)[::-1]:  # what is far is drawn first and small things lie on top
        layout.add(sprite(pool[int(rng.integers(len(pool)))], float(side), rng), rng)
    canvas = layout.paint(canvas, shadow=float(rng.uniform(0.15, 0.5)))
    canvas = _weather(canvas, gap, rng)
    return _picture(SCENE, canvas, layout, scene_captions(_things(layout), place, rng))


def _generator(kind: str, seed: int, index: int) -> np.random.Generator:
    return np.random.default_rng([_KINDS[kind], seed, index])


def _any(rng: np.random.Generator) -> Category:
    return CATEGORIES[int(rng.integers(len(CATEGORIES)))]


def _pool(rng: np.random.Generator) -> list[Category]:
    """Categories a scene draws from: few enough that some things come in twos and threes."""
    return [CATEGORIES[int(i)] for i in rng.choice(len(CATEGORIES), 12, replace=False)]


def _things(layout: Layout) -> list[Thing]:
    shorter = min(layout.owner.shape)
    return [
        Thing(p.sprite.category, p.sprite.colour, max(p.sprite.pixels.shape[:2]) / shorter)
        for p in layout.placed
    ]


def _weather(canvas: Canvas, gap: float, rng: np.random.Generator) -> Canvas:
    """Light of some colour and direction, contrast, blur and noise, as strong as `gap` says."""
    height, width = canvas.shape[:2]
    tint = np.exp(gap * rng.uniform(-0.2, 0.2, 3)) * np.exp(gap * rng.uniform(-0.3, 0.14))
    fall = gap * rng.uniform(-0.3, 0.3, 2)
    light = 1 + np.linspace(-1, 1, height)[:, None] * fall[0]
    light = light + np.linspace(-1, 1, width)[None, :] * fall[1]
    contrast = 1 - gap * rng.uniform(0.0, 0.35)
    canvas = canvas * (light[..., None].astype(np.float32) * tint.astype(np.float32))
    canvas = (canvas - 120) * np.float32(contrast) + 120
    canvas -= np.maximum(canvas - 215, 0) * np.float32(0.6)  # bright snow keeps its shades
    blur = gap * rng.uniform(0, 1.0)
    if blur > 0.2:
        soft = Image.fromarray(_bytes(canvas)).filter(ImageFilter.GaussianBlur(blur))
        canvas = np.asarray(soft, dtype=np.float32)
    noise = rng.standard_normal((height, width, 3), dtype=np.float32)
    return canvas + noise * np.float32(gap * rng.uniform(1, 9))


def _bytes(canvas: Canvas) -> NDArray[np.uint8]:
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _picture(
    kind: str, canvas: Canvas, layout: Layout, captions: tuple[str, ...]
) -> SyntheticImage:
    names = tuple(p.sprite.category.name for p in layout.placed)
    return SyntheticImage(_bytes(canvas), captions, layout.boxes(), names, kind)
