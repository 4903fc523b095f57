"""Rendering of synthetic images: web images, from which a teacher learns, and harder scenes.

A web image is small and shows one large object, sometimes two, mostly on a plain
background. A scene is larger and crowded: objects of all sizes that occlude each
other, textured backgrounds, coloured light, blur and noise. The difference is intended:
regions of scenes are out of distribution for a teacher trained on whole web images.

An image depends only on (kind, seed, index, size), to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from stages.synthetic import backgrounds
from stages.synthetic.captions import ObjectDescription, scene_captions, web_captions
from stages.synthetic.categories import CATEGORIES
from stages.synthetic.layout import Layout
from stages.synthetic.sprite import render_sprite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.synthetic.categories import Category

    FloatImage = NDArray[np.float32]

WEB, SCENE = "web", "scene"
_KINDS = {WEB: 1, SCENE: 2}
_TEXTURED = 0.3  # share of web images with a textured background
_SMALLEST, _LARGEST = 28.0, 110.0  # longer sides of objects in a scene, pixels


@dataclass(frozen=True)
class SyntheticImage:
    """One rendered image with its captions and ground truth.

    Attributes:
        image: (H, W, 3) uint8.
        captions: Captions as people would write them.
        boxes: (R, 4) float32, x0, y0, x1, y1 in pixels, exclusive ends: the whole
            object with its occluded parts, clipped to the image.
        categories: R names, in the order of `boxes`.
        kind: "web" or "scene".
    """

    image: NDArray[np.uint8]
    captions: tuple[str, ...]
    boxes: NDArray[np.float32]
    categories: tuple[str, ...]
    kind: str


def render_web_image(seed: int, index: int, size: int = 96) -> SyntheticImage:
    """Render web image `index` of a seed: a square with sides of `size` pixels."""
    rng = _generator(WEB, seed, index)
    textured = rng.random() < _TEXTURED
    if textured:
        pixels, _ = backgrounds.textured_background(size, size, rng)
    else:
        pixels = backgrounds.plain_background(size, size, rng)
    layout = Layout(size, size)
    if rng.random() < 0.78:
        layout.add(
            render_sprite(_random_category(rng), size * rng.uniform(0.55, 0.94), rng),
            rng,
            centred=True,
        )
    else:
        for _ in range(2):
            layout.add(
                render_sprite(_random_category(rng), size * rng.uniform(0.42, 0.58), rng), rng
            )
    pixels = layout.composite(pixels, shadow=0.3 if rng.random() < 0.4 else 0.0)
    pixels += rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(rng.uniform(0, 3))
    return _synthetic_image(WEB, pixels, layout, web_captions(_describe(layout), rng))


def render_scene(
    seed: int, index: int, size: tuple[int, int] = (320, 256), gap: float = 1.0
) -> SyntheticImage:
    """Render scene `index` of a seed.

    Args:
        seed: Different seeds give different images.
        index: Number of the image within the seed.
        size: Width and height in pixels.
        gap: Strength of the domain gap (light, blur, noise); 0 is none.
    """
    rng = _generator(SCENE, seed, index)
    pixels, place = backgrounds.textured_background(*size, rng)
    layout = Layout(*size)
    categories = _sample_categories(rng)
    sides = _SMALLEST * (_LARGEST / _SMALLEST) ** rng.random(int(rng.integers(6, 12)))
    for side in np.sort(sides)[::-1]:  # large objects first, small ones on top
        category = categories[int(rng.integers(len(categories)))]
        layout.add(render_sprite(category, float(side), rng), rng)
    pixels = layout.composite(pixels, shadow=float(rng.uniform(0.15, 0.5)))
    pixels = _add_domain_gap(pixels, gap, rng)
    return _synthetic_image(SCENE, pixels, layout, scene_captions(_describe(layout), place, rng))


def _generator(kind: str, seed: int, index: int) -> np.random.Generator:
    return np.random.default_rng([_KINDS[kind], seed, index])


def _random_category(rng: np.random.Generator) -> Category:
    return CATEGORIES[int(rng.integers(len(CATEGORIES)))]


def _sample_categories(rng: np.random.Generator) -> list[Category]:
    """The categories of one scene: so few that some of them occur two or three times."""
    return [CATEGORIES[int(i)] for i in rng.choice(len(CATEGORIES), 12, replace=False)]


def _describe(layout: Layout) -> list[ObjectDescription]:
    shorter_side = min(layout.owner.shape)
    return [
        ObjectDescription(
            placed.sprite.category,
            placed.sprite.colour,
            max(placed.sprite.pixels.shape[:2]) / shorter_side,
        )
        for placed in layout.placed
    ]


def _add_domain_gap(pixels: FloatImage, gap: float, rng: np.random.Generator) -> FloatImage:
    """Add coloured light from one direction, contrast, blur and noise, scaled by `gap`."""
    height, width = pixels.shape[:2]
    tint = np.exp(gap * rng.uniform(-0.2, 0.2, 3)) * np.exp(gap * rng.uniform(-0.3, 0.14))
    gradient = gap * rng.uniform(-0.3, 0.3, 2)
    light = 1 + np.linspace(-1, 1, height)[:, None] * gradient[0]
    light = light + np.linspace(-1, 1, width)[None, :] * gradient[1]
    contrast = 1 - gap * rng.uniform(0.0, 0.35)
    pixels = pixels * (light[..., None].astype(np.float32) * tint.astype(np.float32))
    pixels = (pixels - 120) * np.float32(contrast) + 120
    pixels -= np.maximum(pixels - 215, 0) * np.float32(0.6)  # bright snow keeps its texture
    blur = gap * rng.uniform(0, 1.0)
    if blur > 0.2:
        blurred = Image.fromarray(_to_uint8(pixels)).filter(ImageFilter.GaussianBlur(blur))
        pixels = np.asarray(blurred, dtype=np.float32)
    noise = rng.standard_normal((height, width, 3), dtype=np.float32)
    return pixels + noise * np.float32(gap * rng.uniform(1, 9))


def _to_uint8(pixels: FloatImage) -> NDArray[np.uint8]:
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _synthetic_image(
    kind: str, pixels: FloatImage, layout: Layout, captions: tuple[str, ...]
) -> SyntheticImage:
    names = tuple(placed.sprite.category.name for placed in layout.placed)
    return SyntheticImage(_to_uint8(pixels), captions, layout.boxes(), names, kind)
