"""A canvas for one object: filled shapes in unit coordinates, mapped to pixels as a whole.

Shapes are given in a square from (-1, -1), top left, to (1, 1), bottom right. One
affine map rotates, flips and stretches them into pixels, so a rotated object is as sharp
as an upright one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

Colour = tuple[int, int, int]
Point = tuple[float, float]

TRANSPARENT = (0, 0, 0, 0)
WHITE: Colour = (246, 246, 242)
BLACK: Colour = (38, 36, 42)
GREY: Colour = (150, 152, 158)
BROWN: Colour = (128, 84, 50)
GREEN: Colour = (70, 150, 66)
GLASS: Colour = (188, 222, 240)
METAL: Colour = (176, 182, 192)

_CIRCLE = np.stack(
    [np.cos(np.linspace(0, 2 * math.pi, 40, False)), np.sin(np.linspace(0, 2 * math.pi, 40, False))]
)  # (2, 40)


def tone(colour: Colour, factor: float) -> Colour:
    """The colour darkened (factor below 1) or mixed with white (above 1, up to 2).

    >>> tone((100, 200, 0), 0.5)
    (50, 100, 0)
    >>> tone((100, 200, 0), 2.0)
    (255, 255, 255)
    """
    if factor <= 1:
        r, g, b = (round(c * factor) for c in colour)
    else:
        r, g, b = (round(c + (255 - c) * (factor - 1)) for c in colour)
    return r, g, b


class ShapeCanvas:
    """The drawing surface of one object, with its colours, its generator and the map to pixels.

    Attributes:
        rng: Decides the details of this object.
        main: Its main colour.
        accent: A second colour for details.
    """

    def __init__(
        self,
        sheet: Image.Image,
        matrix: NDArray[np.float64],
        rng: np.random.Generator,
        main: Colour,
        accent: Colour,
    ) -> None:
        self._draw = ImageDraw.Draw(sheet)
        self._linear = matrix[:, :2]
        self._offset = matrix[:, 2:]
        self._pixels_per_unit = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
        self.rng = rng
        self.main = main
        self.accent = accent

    def uniform(self, low: float, high: float) -> float:
        """A random number between low and high."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def _fill_polygon(self, points: NDArray[np.float64], fill: tuple[int, ...]) -> None:
        pixels = self._linear @ points + self._offset
        self._draw.polygon(pixels.T.ravel().tolist(), fill=_with_alpha(fill))

    def polygon(self, points: Sequence[Point], fill: tuple[int, ...]) -> None:
        """Fill a polygon with sharp corners."""
        self._fill_polygon(np.array(points, dtype=np.float64).T, fill)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, fill: tuple[int, ...], degrees: float = 0.0
    ) -> None:
        """Fill an ellipse, rotated clockwise."""
        points = _CIRCLE * np.array([[rx], [ry]])
        if degrees:
            c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            points = np.array([[c, -s], [s, c]]) @ points
        self._fill_polygon(points + np.array([[x], [y]]), fill)

    def circle(self, x: float, y: float, radius: float, fill: tuple[int, ...]) -> None:
        """Fill a circle."""
        self.ellipse(x, y, radius, radius, fill)

    def rectangle(
        self, corners: Sequence[float], fill: tuple[int, ...], rounding: float = 0.0
    ) -> None:
        """Fill a rectangle (x0, y0, x1, y1) with corners rounded by a radius."""
        x0, y0, x1, y1 = corners
        if rounding <= 0:
            self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill)
            return
        r = min(rounding, abs(x1 - x0) / 2, abs(y1 - y0) / 2)
        points = []
        for cx, cy, start in ((x1, y1, 0), (x0, y1, 90), (x0, y0, 180), (x1, y0, 270)):
            ax = cx - r if cx == x1 else cx + r
            ay = cy - r if cy == y1 else cy + r
            for step in range(5):
                a = math.radians(start + 22.5 * step)
                points.append((ax + r * math.cos(a), ay + r * math.sin(a)))
        self.polygon(points, fill)

    def closed_curve(self, points: Sequence[Point], fill: tuple[int, ...]) -> None:
        """Fill a smooth closed curve through the points."""
        self._fill_polygon(_smooth_path(np.array(points, dtype=np.float64), closed=True).T, fill)

    def line(
        self, points: Sequence[Point], width: float, fill: tuple[int, ...], smooth: bool = False
    ) -> None:
        """Draw a line of a width in unit coordinates, with round ends and joints."""
        path = np.array(points, dtype=np.float64)
        if smooth:
            path = _smooth_path(path, closed=False)
        pixels = (self._linear @ path.T + self._offset).T
        thick = max(1.0, width * self._pixels_per_unit)
        self._draw.line(pixels.ravel().tolist(), fill=_with_alpha(fill), width=max(1, round(thick)))
        if thick >= 3:
            for x, y in pixels:
                r = thick / 2 - 0.5
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill=_with_alpha(fill))

    def ring(self, x: float, y: float, rx: float, ry: float, width: float, fill: Colour) -> None:
        """Draw the outline of an ellipse; its inside stays as it was."""
        points = (_CIRCLE * np.array([[rx], [ry]]) + np.array([[x], [y]])).T
        closed = [(float(a), float(b)) for a, b in points]
        self.line([*closed, closed[0]], width, fill)

    def highlight(self, x: float, y: float, rx: float, ry: float, degrees: float = 0.0) -> None:
        """Fill an ellipse with the main colour mixed with white."""
        self.ellipse(x, y, rx, ry, tone(self.main, 1.45), degrees)

    def eyes(self, x: float, y: float, gap: float, radius: float) -> None:
        """Draw two dark eyes with a light spot, `gap` apart around x."""
        for side in (-gap / 2, gap / 2):
            self.circle(x + side, y, radius, BLACK)
            self.circle(x + side - radius * 0.3, y - radius * 0.35, radius * 0.35, WHITE)


def _with_alpha(fill: tuple[int, ...]) -> tuple[int, ...]:
    return fill if len(fill) == 4 else (*fill, 255)


def _smooth_path(points: NDArray[np.float64], *, closed: bool) -> NDArray[np.float64]:
    """Catmull-Rom curve through (P, 2) points, six steps per span. (P, 2) to (S, 2)."""
    if closed:
        a, b, c, d = (np.roll(points, shift, axis=0) for shift in (1, 0, -1, -2))
    else:
        ends = np.concatenate([points[:1], points, points[-1:]])
        a, b, c, d = ends[:-3], ends[1:-2], ends[2:-1], ends[3:]
    t = (np.arange(6) / 6)[:, None, None]
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )  # (6, spans, 2)
    path: NDArray[np.float64] = curve.transpose(1, 0, 2).reshape(-1, 2)
    return path if closed else np.concatenate([path, points[-1:]])
