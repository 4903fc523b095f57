"""Shapes of things in a home."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.pen import BLACK, BROWN, GREY, METAL, NOTHING, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.pen import Pen


def chair(pen: Pen) -> None:
    """A chair at an angle: a back with bars, a seat and four legs."""
    dark = tone(pen.main, 0.72)
    for x, y in ((-0.28, 0.72), (0.62, 0.72)):
        pen.line([(x, 0.1), (x, y)], 0.12, dark)
    for x in (-0.52, 0.38):
        pen.line([(x, 0.2), (x, 0.93)], 0.13, pen.main)
    pen.poly([(-0.6, 0.28), (0.46, 0.28), (0.72, 0.02), (-0.34, 0.02)], tone(pen.main, 1.15))
    pen.rect((-0.6, 0.26, 0.46, 0.38), pen.main)
    if pen.chance(0.5):
        pen.rect((-0.42, -0.95, 0.74, -0.1), pen.main, 0.12)
        pen.rect((-0.26, -0.8, 0.58, -0.24), tone(pen.main, 1.3), 0.1)
    else:
        for y in (-0.85, -0.5, -0.18):
            pen.line([(-0.32, y), (0.64, y)], 0.15, pen.main)
    for x in (-0.34, 0.66):
        pen.line([(x, -0.9), (x, 0.05)], 0.12, dark)


def table(pen: Pen) -> None:
    """A table: a wide top on four legs, or round on one."""
    dark = tone(pen.main, 0.72)
    if pen.chance(0.3):
        pen.rect((-0.09, -0.2, 0.09, 0.68), dark)
        pen.line([(-0.42, 0.72), (0, 0.55), (0.42, 0.72)], 0.12, dark)
        pen.oval(0, -0.2, 0.97, 0.24, dark)
        pen.oval(0, -0.27, 0.97, 0.22, pen.main)
        return
    for x in (-0.5, 0.72):
        pen.line([(x, -0.1), (x, 0.45)], 0.1, tone(pen.main, 0.6))
    for x in (-0.84, 0.48):
        pen.line([(x, 0.0), (x, 0.7)], 0.12, dark)
    pen.poly([(-0.97, 0.0), (0.6, 0.0), (0.97, -0.38), (-0.6, -0.38)], pen.main)
    pen.rect((-0.97, -0.02, 0.6, 0.14), dark)
    pen.poly([(0.6, 0.14), (0.97, -0.24), (0.97, -0.38), (0.6, -0.02)], tone(pen.main, 0.6))


def lamp(pen: Pen) -> None:
    """A table lamp: a shade over a stand."""
    top = pen.vary(0.26, 0.42)
    pen.rect((-0.4, 0.82, 0.4, 0.97), METAL, 0.07)
    if pen.chance(0.5):
        pen.oval(0, 0.5, 0.24, 0.34, pen.accent)
    pen.rect((-0.06, -0.2, 0.06, 0.86), METAL)
    pen.oval(0, 0.02, 0.4, 0.16, (255, 240, 170))
    pen.poly([(-top, -0.95), (top, -0.95), (0.72, 0.02), (-0.72, 0.02)], pen.main)
    pen.line([(-0.7, 0.0), (0.7, 0.0)], 0.08, tone(pen.main, 0.7))
    pen.line([(-top, -0.93), (top, -0.93)], 0.06, tone(pen.main, 0.7))
    pen.poly(
        [(-top * 0.6, -0.88), (-top * 0.2, -0.88), (-0.2, -0.06), (-0.46, -0.06)],
        tone(pen.main, 1.4),
    )


def clock(pen: Pen) -> None:
    """A wall clock or an alarm clock: a white face, ticks and two hands."""
    if pen.chance(0.5):
        for side in (-1, 1):
            pen.oval(side * 0.5, -0.72, 0.26, 0.18, tone(pen.main, 0.8), side * 40)
            pen.line([(side * 0.4, 0.6), (side * 0.6, 0.95)], 0.14, tone(pen.main, 0.7))
    pen.disc(0, 0.05, 0.86, pen.main)
    pen.disc(0, 0.05, 0.68, WHITE)
    for k in range(12):
        a = math.radians(30 * k)
        x, y = math.cos(a), math.sin(a)
        pen.line([(0.54 * x, 0.05 + 0.54 * y), (0.62 * x, 0.05 + 0.62 * y)], 0.06, BLACK)
    for length, width in ((0.34, 0.1), (0.5, 0.07)):
        a = pen.vary(0, 2 * math.pi)
        pen.line([(0, 0.05), (length * math.cos(a), 0.05 + length * math.sin(a))], width, BLACK)
    pen.disc(0, 0.05, 0.07, pen.main)


def book(pen: Pen) -> None:
    """A book: closed with a title on its cover, or open with lines of print."""
    if pen.chance(0.4):
        pen.poly([(-0.98, -0.5), (0.98, -0.5), (0.98, 0.66), (-0.98, 0.66)], pen.main)
        for side in (-1, 1):
            pen.poly(
                [(0, -0.42), (side * 0.9, -0.58), (side * 0.9, 0.5), (0, 0.62)],
                tone(WHITE, 1.0 if side > 0 else 0.93),
            )
            for k in range(4):
                y = -0.26 + 0.2 * k
                pen.line([(side * 0.14, y), (side * 0.76, y - 0.1)], 0.04, GREY)
        pen.line([(0, -0.42), (0, 0.62)], 0.05, tone(GREY, 0.8))
        return
    w = pen.vary(0.58, 0.72)
    pen.rect((-w, -0.9, w, 0.95), tone(pen.main, 0.7), 0.05)
    pen.rect((-w + 0.1, -0.82, w - 0.02, 0.9), WHITE)
    pen.rect((-w, -0.95, w - 0.08, 0.78), pen.main, 0.05)
    pen.rect((-w, -0.95, -w + 0.16, 0.78), tone(pen.main, 0.75))
    pen.rect((-w + 0.32, -0.7, w - 0.24, -0.25), tone(pen.accent, 1.4))
    pen.line([(-w + 0.36, 0.35), (w - 0.28, 0.35)], 0.07, tone(pen.main, 1.5))


def key(pen: Pen) -> None:
    """A key: a ring, a shaft and teeth."""
    r = pen.vary(0.3, 0.38)
    pen.rect((-0.4, -0.09, 0.96, 0.09), pen.main, 0.04)
    for x in (0.55, 0.8) if pen.chance(0.5) else (0.48, 0.68, 0.86):
        pen.rect((x - 0.07, 0.0, x + 0.07, pen.vary(0.26, 0.36)), pen.main)
    pen.disc(-0.6, 0, r, pen.main)
    pen.ring(-0.6, 0, r * 0.8, r * 0.8, 0.05, tone(pen.main, 0.75))
    pen.disc(-0.66, 0, r * 0.5, NOTHING)


def scissors(pen: Pen) -> None:
    """Scissors, open: two blades crossing, two ring handles."""
    spread = pen.vary(0.2, 0.38)
    for side in (-1, 1):
        pen.poly(
            [
                (side * spread, -0.97),
                (side * (spread - 0.16), -0.8),
                (side * -0.14, 0.12),
                (side * 0.02, 0.2),
            ],
            METAL if side > 0 else tone(METAL, 0.82),
        )
    for side in (-1, 1):
        pen.line([(side * -0.02, 0.1), (side * 0.22, 0.42)], 0.14, pen.main)
        pen.ring(side * 0.34, 0.65, 0.22, 0.27, 0.14, pen.main)
    pen.disc(0, 0.08, 0.07, tone(GREY, 0.5))


def umbrella(pen: Pen) -> None:
    """An open umbrella: a scalloped canopy in sections and a hooked handle."""
    pen.line(
        [(0, -0.9), (0, 0.7), (0.08, 0.88), (0.24, 0.88), (0.3, 0.7)],
        0.09,
        BROWN if pen.chance(0.5) else BLACK,
    )
    dome = [
        (0.95 * math.cos(a), 0.05 - 0.88 * math.sin(a))
        for a in (math.pi * k / 20 for k in range(21))
    ]
    pen.poly(dome, pen.main)
    second = tone(pen.main, 0.75) if pen.chance(0.5) else tone(pen.accent, 1.1)
    left = [
        (-0.32 * math.cos(a), 0.05 - 0.88 * math.sin(a))
        for a in (math.pi * k / 20 for k in range(21))
    ]
    pen.poly(left, second)
    for k in range(4):
        x = -0.71 + 0.475 * k
        pen.oval(x, 0.07, 0.24, 0.11, NOTHING)
    pen.line([(0, -0.84), (0, -0.97)], 0.07, BLACK)
    pen.line([(0, -0.02), (0, 0.3)], 0.09, BROWN)
