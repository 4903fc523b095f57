"""Shapes of things along a street."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.shape_canvas import BLACK, BROWN, GLASS, GREY, METAL, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.shape_canvas import Point, ShapeCanvas


def house(canvas: ShapeCanvas) -> None:
    """A house: walls, a pitched roof, a door, windows and a chimney."""
    wall = tone(canvas.main, 1.5) if canvas.chance(0.5) else (240, 226, 196)
    peak = canvas.uniform(-0.95, -0.75)
    canvas.rectangle((0.38, -0.85, 0.6, -0.3), (168, 84, 64))
    canvas.rectangle((-0.75, -0.2, 0.75, 0.95), wall)
    canvas.polygon([(-0.97, -0.15), (0, peak), (0.97, -0.15)], canvas.main)
    canvas.line([(-0.95, -0.14), (0.95, -0.14)], 0.06, tone(canvas.main, 0.7))
    door = canvas.uniform(-0.15, 0.15)
    canvas.rectangle((door - 0.17, 0.35, door + 0.17, 0.95), BROWN, 0.03)
    canvas.circle(door + 0.1, 0.66, 0.04, (250, 210, 90))
    for x in (-0.5, 0.5):
        canvas.rectangle((x - 0.18, 0.05, x + 0.18, 0.4), WHITE)
        canvas.rectangle((x - 0.14, 0.09, x + 0.14, 0.36), GLASS)
        canvas.line([(x, 0.08), (x, 0.37)], 0.035, WHITE)
    if canvas.chance(0.5):
        canvas.circle(0, -0.42, 0.13, GLASS)


def traffic_light(canvas: ShapeCanvas) -> None:
    """A traffic light: a dark case with red, amber and green, one of them lit."""
    lit = int(canvas.rng.integers(3))
    if canvas.chance(0.6):
        canvas.rectangle((-0.08, 0.5, 0.08, 0.98), GREY)
        y0, y1 = -0.97, 0.6
    else:
        y0, y1 = -0.97, 0.97
    w = canvas.uniform(0.3, 0.36)
    case = BLACK if canvas.chance(0.6) else (70, 84, 70)
    canvas.rectangle((-w, y0, w, y1), case, 0.14)
    step = (y1 - y0) / 3
    colours = ((226, 50, 44), (250, 190, 40), (60, 190, 90))
    for k, colour in enumerate(colours):
        y = y0 + (k + 0.5) * step
        canvas.circle(0, y, min(step * 0.38, w * 0.75), tone(colour, 1.15 if k == lit else 0.55))
        if k == lit:
            canvas.circle(-0.06, y - 0.06, 0.07, tone(colour, 1.7))
        canvas.line([(-w, y - step * 0.4), (w, y - step * 0.4)], 0.045, tone(case, 1.2))


def fire_hydrant(canvas: ShapeCanvas) -> None:
    """A fire hydrant: a stout post with a dome, two caps and a foot."""
    dark = tone(canvas.main, 0.72)
    canvas.rectangle((-0.52, 0.8, 0.52, 0.97), dark, 0.05)
    for side in (-1, 1):
        canvas.rectangle((side * 0.3, -0.2, side * 0.62, 0.14), canvas.main)
        canvas.rectangle((side * 0.58, -0.26, side * 0.74, 0.2), dark, 0.04)
    canvas.rectangle((-0.38, -0.5, 0.38, 0.84), canvas.main, 0.04)
    canvas.ellipse(0, -0.5, 0.4, 0.32, canvas.main)
    canvas.rectangle((-0.5, -0.54, 0.5, -0.38), dark, 0.05)
    canvas.rectangle((-0.12, -0.97, 0.12, -0.76), dark, 0.04)
    canvas.circle(0, 0.0, 0.22, dark)
    canvas.circle(0, 0.0, 0.13, METAL)
    canvas.rectangle((-0.38, 0.46, 0.38, 0.56), tone(canvas.main, 1.35))
    canvas.rectangle((-0.3, -0.34, -0.2, 0.42), tone(canvas.main, 1.35), 0.04)


def stop_sign(canvas: ShapeCanvas) -> None:
    """A stop sign: a red octagon with white letters on a post."""
    red, x, y, r = canvas.main, 0.0, -0.38, 0.6
    canvas.rectangle((-0.06, 0.1, 0.06, 0.98), GREY)
    for size, fill in ((r, WHITE), (r * 0.88, red)):
        corners = [
            (
                x + size * math.cos(math.radians(45 * k + 22.5)),
                y + size * math.sin(math.radians(45 * k + 22.5)),
            )
            for k in range(8)
        ]
        canvas.polygon(corners, fill)
    s, w, left = 0.13, 0.06, -0.41
    letters: tuple[list[Point], ...] = (
        [(1, -1), (0, -1), (0, 0), (1, 0), (1, 1), (0, 1)],
        [(0, -1), (1, -1), (0.5, -1), (0.5, 1)],
        [(0, -1), (1, -1), (1, 1), (0, 1), (0, -1)],
        [(0, 1), (0, -1), (1, -1), (1, 0), (0, 0)],
    )  # S, T, O, P
    for k, path in enumerate(letters):
        canvas.line([(left + 0.22 * k + 0.15 * a, y + s * b) for a, b in path], w, WHITE)
