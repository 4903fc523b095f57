"""Shapes of plants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.pen import BROWN, GREEN, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.pen import Pen


def tree(pen: Pen) -> None:
    """A tree: a trunk under a round crown, or a fir of stacked triangles."""
    pen.rect((-0.12, 0.3, 0.12, 0.97), BROWN)
    if pen.chance(0.4):
        for k, w in enumerate((0.72, 0.58, 0.42)):
            y = 0.55 - 0.45 * k
            pen.poly([(-w, y), (w, y), (0, y - 0.72)], tone(pen.main, 0.85 + 0.12 * k))
        return
    for x, y, r in ((-0.4, -0.05, 0.38), (0.4, -0.05, 0.38), (0, -0.5, 0.46), (0, 0.0, 0.42)):
        pen.disc(x + pen.vary(-0.06, 0.06), y, r, pen.main)
    for x, y in ((-0.28, -0.42), (0.12, -0.66), (0.3, -0.1)):
        pen.oval(x, y, 0.16, 0.1, tone(pen.main, 1.25), -20)
    if pen.chance(0.3):
        for x, y in ((-0.4, -0.05), (0.1, -0.3), (0.42, 0.02), (-0.05, 0.12)):
            pen.disc(x, y, 0.08, (214, 52, 48))


def flower(pen: Pen) -> None:
    """A flower: petals around a centre, on a stem with leaves."""
    petals = int(pen.rng.integers(5, 9))
    pen.line([(0, -0.3), (pen.vary(-0.12, 0.12), 0.4), (0, 0.97)], 0.1, GREEN, smooth=True)
    for side in (-1, 1):
        pen.oval(side * 0.26, 0.6, 0.28, 0.11, GREEN, side * -30)
    for k in range(petals):
        a = 2 * math.pi * k / petals
        fill = pen.main if k % 2 else tone(pen.main, 1.2)
        x, y = 0.36 * math.cos(a), -0.4 + 0.36 * math.sin(a)
        pen.oval(x, y, 0.28, 0.85 / petals + 0.05, fill, math.degrees(a))
    pen.disc(0, -0.4, 0.2, (250, 200, 60) if pen.chance(0.7) else BROWN)


def cactus(pen: Pen) -> None:
    """A cactus: a ribbed column with two arms, often in a pot."""
    left, right = pen.vary(-0.15, 0.15), pen.vary(-0.3, 0.05)
    dark = tone(pen.main, 0.72)
    pen.line([(-0.2, left + 0.3), (-0.6, left + 0.3), (-0.6, left - 0.2)], 0.24, pen.main)
    pen.line([(0.2, right + 0.4), (0.6, right + 0.4), (0.6, right - 0.15)], 0.24, pen.main)
    pen.rect((-0.25, -0.95, 0.25, 0.8), pen.main, 0.25)
    for x in (-0.1, 0.1):
        pen.line([(x, -0.72), (x, 0.55)], 0.04, dark)
    for y in (-0.6, -0.3, 0.0, 0.3):
        for x in (-0.18, 0.0, 0.18):
            pen.line([(x, y), (x + 0.05, y - 0.06)], 0.03, WHITE)
    if pen.chance(0.6):
        pen.poly([(-0.42, 0.5), (0.42, 0.5), (0.32, 0.97), (-0.32, 0.97)], (196, 98, 58))
        pen.rect((-0.48, 0.42, 0.48, 0.58), (212, 116, 72), 0.04)
    if pen.chance(0.4):
        pen.disc(0, -0.95, 0.13, (236, 90, 140))


def mushroom(pen: Pen) -> None:
    """A mushroom: a spotted cap on a pale stem."""
    h, w = pen.vary(0.75, 0.95), pen.vary(0.2, 0.3)
    pen.blob(
        [(-w, -0.05), (w, -0.05), (w * 1.25, 0.75), (0.1, 0.95), (-0.1, 0.95), (-w * 1.25, 0.75)],
        (240, 228, 204),
    )
    pen.oval(0, 0.02, 0.6, 0.14, (214, 194, 164))
    cap = [
        (0.92 * math.cos(a), 0.02 - h * math.sin(a)) for a in (math.pi * k / 16 for k in range(17))
    ]
    pen.poly(cap, pen.main)
    pen.oval(0, 0.02, 0.92, 0.11, pen.main)
    pen.oval(0, 0.05, 0.6, 0.07, (222, 204, 176))
    for x, y, r in (
        (-0.45, -0.3, 0.14),
        (0.1, -0.55, 0.17),
        (0.52, -0.25, 0.12),
        (-0.1, -0.16, 0.1),
    ):
        pen.disc(x, y * h / 0.85, r, WHITE)
