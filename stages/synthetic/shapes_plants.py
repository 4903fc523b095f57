"""Shapes of plants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.shape_canvas import BROWN, GREEN, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.shape_canvas import ShapeCanvas


def tree(canvas: ShapeCanvas) -> None:
    """A tree: a trunk under a round crown, or a fir of stacked triangles."""
    canvas.rectangle((-0.12, 0.3, 0.12, 0.97), BROWN)
    if canvas.chance(0.4):
        for k, w in enumerate((0.72, 0.58, 0.42)):
            y = 0.55 - 0.45 * k
            canvas.polygon([(-w, y), (w, y), (0, y - 0.72)], tone(canvas.main, 0.85 + 0.12 * k))
        return
    for x, y, r in ((-0.4, -0.05, 0.38), (0.4, -0.05, 0.38), (0, -0.5, 0.46), (0, 0.0, 0.42)):
        canvas.circle(x + canvas.uniform(-0.06, 0.06), y, r, canvas.main)
    for x, y in ((-0.28, -0.42), (0.12, -0.66), (0.3, -0.1)):
        canvas.ellipse(x, y, 0.16, 0.1, tone(canvas.main, 1.25), -20)
    if canvas.chance(0.3):
        for x, y in ((-0.4, -0.05), (0.1, -0.3), (0.42, 0.02), (-0.05, 0.12)):
            canvas.circle(x, y, 0.08, (214, 52, 48))


def flower(canvas: ShapeCanvas) -> None:
    """A flower: petals around a centre, on a stem with leaves."""
    petals = int(canvas.rng.integers(5, 9))
    canvas.line([(0, -0.3), (canvas.uniform(-0.12, 0.12), 0.4), (0, 0.97)], 0.1, GREEN, smooth=True)
    for side in (-1, 1):
        canvas.ellipse(side * 0.26, 0.6, 0.28, 0.11, GREEN, side * -30)
    for k in range(petals):
        a = 2 * math.pi * k / petals
        fill = canvas.main if k % 2 else tone(canvas.main, 1.2)
        x, y = 0.36 * math.cos(a), -0.4 + 0.36 * math.sin(a)
        canvas.ellipse(x, y, 0.28, 0.85 / petals + 0.05, fill, math.degrees(a))
    canvas.circle(0, -0.4, 0.2, (250, 200, 60) if canvas.chance(0.7) else BROWN)


def cactus(canvas: ShapeCanvas) -> None:
    """A cactus: a ribbed column with two arms, often in a pot."""
    left, right = canvas.uniform(-0.15, 0.15), canvas.uniform(-0.3, 0.05)
    dark = tone(canvas.main, 0.72)
    canvas.line([(-0.2, left + 0.3), (-0.6, left + 0.3), (-0.6, left - 0.2)], 0.24, canvas.main)
    canvas.line([(0.2, right + 0.4), (0.6, right + 0.4), (0.6, right - 0.15)], 0.24, canvas.main)
    canvas.rectangle((-0.25, -0.95, 0.25, 0.8), canvas.main, 0.25)
    for x in (-0.1, 0.1):
        canvas.line([(x, -0.72), (x, 0.55)], 0.04, dark)
    for y in (-0.6, -0.3, 0.0, 0.3):
        for x in (-0.18, 0.0, 0.18):
            canvas.line([(x, y), (x + 0.05, y - 0.06)], 0.03, WHITE)
    if canvas.chance(0.6):
        canvas.polygon([(-0.42, 0.5), (0.42, 0.5), (0.32, 0.97), (-0.32, 0.97)], (196, 98, 58))
        canvas.rectangle((-0.48, 0.42, 0.48, 0.58), (212, 116, 72), 0.04)
    if canvas.chance(0.4):
        canvas.circle(0, -0.95, 0.13, (236, 90, 140))


def mushroom(canvas: ShapeCanvas) -> None:
    """A mushroom: a spotted cap on a pale stem."""
    h, w = canvas.uniform(0.75, 0.95), canvas.uniform(0.2, 0.3)
    canvas.closed_curve(
        [(-w, -0.05), (w, -0.05), (w * 1.25, 0.75), (0.1, 0.95), (-0.1, 0.95), (-w * 1.25, 0.75)],
        (240, 228, 204),
    )
    canvas.ellipse(0, 0.02, 0.6, 0.14, (214, 194, 164))
    cap = [
        (0.92 * math.cos(a), 0.02 - h * math.sin(a)) for a in (math.pi * k / 16 for k in range(17))
    ]
    canvas.polygon(cap, canvas.main)
    canvas.ellipse(0, 0.02, 0.92, 0.11, canvas.main)
    canvas.ellipse(0, 0.05, 0.6, 0.07, (222, 204, 176))
    for x, y, r in (
        (-0.45, -0.3, 0.14),
        (0.1, -0.55, 0.17),
        (0.52, -0.25, 0.12),
        (-0.1, -0.16, 0.1),
    ):
        canvas.circle(x, y * h / 0.85, r, WHITE)
