"""Shapes of things in a home."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.shape_canvas import BLACK, BROWN, GREY, METAL, TRANSPARENT, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.shape_canvas import ShapeCanvas


def chair(canvas: ShapeCanvas) -> None:
    """A chair at an angle: a back with bars, a seat and four legs."""
    dark = tone(canvas.main, 0.72)
    for x, y in ((-0.28, 0.72), (0.62, 0.72)):
        canvas.line([(x, 0.1), (x, y)], 0.12, dark)
    for x in (-0.52, 0.38):
        canvas.line([(x, 0.2), (x, 0.93)], 0.13, canvas.main)
    canvas.polygon(
        [(-0.6, 0.28), (0.46, 0.28), (0.72, 0.02), (-0.34, 0.02)], tone(canvas.main, 1.15)
    )
    canvas.rectangle((-0.6, 0.26, 0.46, 0.38), canvas.main)
    if canvas.chance(0.5):
        canvas.rectangle((-0.42, -0.95, 0.74, -0.1), canvas.main, 0.12)
        canvas.rectangle((-0.26, -0.8, 0.58, -0.24), tone(canvas.main, 1.3), 0.1)
    else:
        for y in (-0.85, -0.5, -0.18):
            canvas.line([(-0.32, y), (0.64, y)], 0.15, canvas.main)
    for x in (-0.34, 0.66):
        canvas.line([(x, -0.9), (x, 0.05)], 0.12, dark)


def table(canvas: ShapeCanvas) -> None:
    """A table: a wide top on four legs, or round on one."""
    dark = tone(canvas.main, 0.72)
    if canvas.chance(0.3):
        canvas.rectangle((-0.09, -0.2, 0.09, 0.68), dark)
        canvas.line([(-0.42, 0.72), (0, 0.55), (0.42, 0.72)], 0.12, dark)
        canvas.ellipse(0, -0.2, 0.97, 0.24, dark)
        canvas.ellipse(0, -0.27, 0.97, 0.22, canvas.main)
        return
    for x in (-0.5, 0.72):
        canvas.line([(x, -0.1), (x, 0.45)], 0.1, tone(canvas.main, 0.6))
    for x in (-0.84, 0.48):
        canvas.line([(x, 0.0), (x, 0.7)], 0.12, dark)
    canvas.polygon([(-0.97, 0.0), (0.6, 0.0), (0.97, -0.38), (-0.6, -0.38)], canvas.main)
    canvas.rectangle((-0.97, -0.02, 0.6, 0.14), dark)
    canvas.polygon(
        [(0.6, 0.14), (0.97, -0.24), (0.97, -0.38), (0.6, -0.02)], tone(canvas.main, 0.6)
    )


def lamp(canvas: ShapeCanvas) -> None:
    """A table lamp: a shade over a stand."""
    top = canvas.uniform(0.26, 0.42)
    canvas.rectangle((-0.4, 0.82, 0.4, 0.97), METAL, 0.07)
    if canvas.chance(0.5):
        canvas.ellipse(0, 0.5, 0.24, 0.34, canvas.accent)
    canvas.rectangle((-0.06, -0.2, 0.06, 0.86), METAL)
    canvas.ellipse(0, 0.02, 0.4, 0.16, (255, 240, 170))
    canvas.polygon([(-top, -0.95), (top, -0.95), (0.72, 0.02), (-0.72, 0.02)], canvas.main)
    canvas.line([(-0.7, 0.0), (0.7, 0.0)], 0.08, tone(canvas.main, 0.7))
    canvas.line([(-top, -0.93), (top, -0.93)], 0.06, tone(canvas.main, 0.7))
    canvas.polygon(
        [(-top * 0.6, -0.88), (-top * 0.2, -0.88), (-0.2, -0.06), (-0.46, -0.06)],
        tone(canvas.main, 1.4),
    )


def clock(canvas: ShapeCanvas) -> None:
    """A wall clock or an alarm clock: a white face, ticks and two hands."""
    if canvas.chance(0.5):
        for side in (-1, 1):
            canvas.ellipse(side * 0.5, -0.72, 0.26, 0.18, tone(canvas.main, 0.8), side * 40)
            canvas.line([(side * 0.4, 0.6), (side * 0.6, 0.95)], 0.14, tone(canvas.main, 0.7))
    canvas.circle(0, 0.05, 0.86, canvas.main)
    canvas.circle(0, 0.05, 0.68, WHITE)
    for k in range(12):
        a = math.radians(30 * k)
        x, y = math.cos(a), math.sin(a)
        canvas.line([(0.54 * x, 0.05 + 0.54 * y), (0.62 * x, 0.05 + 0.62 * y)], 0.06, BLACK)
    for length, width in ((0.34, 0.1), (0.5, 0.07)):
        a = canvas.uniform(0, 2 * math.pi)
        canvas.line([(0, 0.05), (length * math.cos(a), 0.05 + length * math.sin(a))], width, BLACK)
    canvas.circle(0, 0.05, 0.07, canvas.main)


def book(canvas: ShapeCanvas) -> None:
    """A book: closed with a title on its cover, or open with lines of print."""
    if canvas.chance(0.4):
        canvas.polygon([(-0.98, -0.5), (0.98, -0.5), (0.98, 0.66), (-0.98, 0.66)], canvas.main)
        for side in (-1, 1):
            canvas.polygon(
                [(0, -0.42), (side * 0.9, -0.58), (side * 0.9, 0.5), (0, 0.62)],
                tone(WHITE, 1.0 if side > 0 else 0.93),
            )
            for k in range(4):
                y = -0.26 + 0.2 * k
                canvas.line([(side * 0.14, y), (side * 0.76, y - 0.1)], 0.04, GREY)
        canvas.line([(0, -0.42), (0, 0.62)], 0.05, tone(GREY, 0.8))
        return
    w = canvas.uniform(0.58, 0.72)
    canvas.rectangle((-w, -0.9, w, 0.95), tone(canvas.main, 0.7), 0.05)
    canvas.rectangle((-w + 0.1, -0.82, w - 0.02, 0.9), WHITE)
    canvas.rectangle((-w, -0.95, w - 0.08, 0.78), canvas.main, 0.05)
    canvas.rectangle((-w, -0.95, -w + 0.16, 0.78), tone(canvas.main, 0.75))
    canvas.rectangle((-w + 0.32, -0.7, w - 0.24, -0.25), tone(canvas.accent, 1.4))
    canvas.line([(-w + 0.36, 0.35), (w - 0.28, 0.35)], 0.07, tone(canvas.main, 1.5))


def key(canvas: ShapeCanvas) -> None:
    """A key: a ring, a shaft and teeth."""
    r = canvas.uniform(0.3, 0.38)
    canvas.rectangle((-0.4, -0.09, 0.96, 0.09), canvas.main, 0.04)
    for x in (0.55, 0.8) if canvas.chance(0.5) else (0.48, 0.68, 0.86):
        canvas.rectangle((x - 0.07, 0.0, x + 0.07, canvas.uniform(0.26, 0.36)), canvas.main)
    canvas.circle(-0.6, 0, r, canvas.main)
    canvas.ring(-0.6, 0, r * 0.8, r * 0.8, 0.05, tone(canvas.main, 0.75))
    canvas.circle(-0.66, 0, r * 0.5, TRANSPARENT)


def scissors(canvas: ShapeCanvas) -> None:
    """Scissors, open: two blades crossing, two ring handles."""
    spread = canvas.uniform(0.2, 0.38)
    for side in (-1, 1):
        canvas.polygon(
            [
                (side * spread, -0.97),
                (side * (spread - 0.16), -0.8),
                (side * -0.14, 0.12),
                (side * 0.02, 0.2),
            ],
            METAL if side > 0 else tone(METAL, 0.82),
        )
    for side in (-1, 1):
        canvas.line([(side * -0.02, 0.1), (side * 0.22, 0.42)], 0.14, canvas.main)
        canvas.ring(side * 0.34, 0.65, 0.22, 0.27, 0.14, canvas.main)
    canvas.circle(0, 0.08, 0.07, tone(GREY, 0.5))


def umbrella(canvas: ShapeCanvas) -> None:
    """An open umbrella: a scalloped canopy in sections and a hooked handle."""
    canvas.line(
        [(0, -0.9), (0, 0.7), (0.08, 0.88), (0.24, 0.88), (0.3, 0.7)],
        0.09,
        BROWN if canvas.chance(0.5) else BLACK,
    )
    dome = [
        (0.95 * math.cos(a), 0.05 - 0.88 * math.sin(a))
        for a in (math.pi * k / 20 for k in range(21))
    ]
    canvas.polygon(dome, canvas.main)
    second = tone(canvas.main, 0.75) if canvas.chance(0.5) else tone(canvas.accent, 1.1)
    left = [
        (-0.32 * math.cos(a), 0.05 - 0.88 * math.sin(a))
        for a in (math.pi * k / 20 for k in range(21))
    ]
    canvas.polygon(left, second)
    for k in range(4):
        x = -0.71 + 0.475 * k
        canvas.ellipse(x, 0.07, 0.24, 0.11, TRANSPARENT)
    canvas.line([(0, -0.84), (0, -0.97)], 0.07, BLACK)
    canvas.line([(0, -0.02), (0, 0.3)], 0.09, BROWN)
