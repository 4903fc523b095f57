"""Shapes of things to eat."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.shape_canvas import BROWN, GREEN, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.shape_canvas import Point, ShapeCanvas

CRUST = (214, 160, 92)


def _draw_stalk(canvas: ShapeCanvas, x: float, y: float) -> None:
    lean = canvas.uniform(-0.15, 0.2)
    if canvas.chance(0.75):
        canvas.ellipse(x + 0.3, y - 0.16, 0.27, 0.12, GREEN, -20)
    canvas.line([(x, y + 0.14), (x + lean, y - 0.24)], 0.1, tone(BROWN, 0.8))


def apple(canvas: ShapeCanvas) -> None:
    """An apple: two shoulders with a dent, a stalk and often a leaf."""
    w = canvas.uniform(0.82, 0.95)
    right = [(0.42, -0.66), (0.95, -0.3), (0.9, 0.35), (0.45, 0.92)]
    left = [(-x, y) for x, y in reversed(right)]
    outline = [(0.0, -0.5), *right, (0.0, 0.82), *left]
    canvas.closed_curve([(x * w, y) for x, y in outline], canvas.main)
    if canvas.chance(0.4):
        canvas.ellipse(0.38 * w, 0.15, 0.3, 0.5, tone(canvas.main, 0.86), -15)
    canvas.highlight(-0.45 * w, -0.25, 0.13, 0.24, 20)
    _draw_stalk(canvas, 0.0, -0.62)


def orange(canvas: ShapeCanvas) -> None:
    """An orange: a dimpled ball with a small green star."""
    canvas.ellipse(0, 0, 0.92, 0.9, canvas.main)
    for _ in range(16):
        a, r = canvas.uniform(0, 2 * math.pi), math.sqrt(canvas.uniform(0.02, 0.6))
        canvas.circle(r * math.cos(a), r * math.sin(a), 0.035, tone(canvas.main, 0.8))
    canvas.highlight(-0.38, -0.36, 0.2, 0.14, -40)
    for step in range(5):
        a = math.radians(72 * step)
        x, y = 0.17 * math.cos(a), -0.74 + 0.09 * math.sin(a)
        canvas.line([(0.0, -0.74), (x, y)], 0.09, tone(GREEN, 0.75))
    if canvas.chance(0.4):
        canvas.ellipse(0.34, -0.88, 0.3, 0.12, GREEN, -18)


def pear(canvas: ShapeCanvas) -> None:
    """A pear: narrow at the top, wide at the bottom."""
    neck, belly = canvas.uniform(0.22, 0.32), canvas.uniform(0.62, 0.74)
    right = [(neck, -0.62), (neck + 0.12, -0.15), (belly, 0.35), (0.45, 0.88)]
    left = [(-x, y) for x, y in reversed(right)]
    canvas.closed_curve([(0.0, -0.78), *right, (0.0, 0.95), *left], canvas.main)
    canvas.highlight(-0.3, 0.25, 0.12, 0.26, 15)
    _draw_stalk(canvas, 0.0, -0.85)


def banana(canvas: ShapeCanvas) -> None:
    """A banana: a crescent with dark tips."""
    bend = canvas.uniform(0.5, 0.75)
    outer = [(-0.95, -0.35), (-0.6, 0.28), (0.0, 0.52), (0.6, 0.28), (0.95, -0.42)]
    inner = [(0.78, -0.42), (0.42, 0.0), (0.0, 0.52 - bend * 0.75), (-0.42, 0.0), (-0.8, -0.42)]
    canvas.closed_curve([*outer, *inner], canvas.main)
    ridge = [(-0.82, -0.3), (-0.5, 0.16), (0.0, 0.34), (0.5, 0.16), (0.82, -0.35)]
    canvas.line(ridge, 0.05, tone(canvas.main, 0.8), smooth=True)
    canvas.line([(0.86, -0.38), (0.93, -0.62)], 0.15, tone(BROWN, 0.8))
    canvas.circle(-0.89, -0.38, 0.08, tone(BROWN, 0.6))


def carrot(canvas: ShapeCanvas) -> None:
    """A carrot: a long cone with rings and a bunch of leaves."""
    w = canvas.uniform(0.26, 0.38)
    for side in (-0.28, 0.28, 0.0):
        canvas.line([(0, -0.4), (side * 0.6, -0.72), (side, -0.97)], 0.15, GREEN, smooth=True)
    canvas.closed_curve(
        [
            (0, -0.48),
            (w, -0.4),
            (w * 0.8, 0.1),
            (0.05, 0.95),
            (-0.05, 0.95),
            (-w * 0.8, 0.1),
            (-w, -0.4),
        ],
        canvas.main,
    )
    for y in (-0.2, 0.1, 0.4):
        x = w * (0.75 - y) * 0.75 * canvas.uniform(0.6, 1.0)
        side = 1 if canvas.chance(0.5) else -1
        canvas.line([(side * x, y), (side * x * 0.25, y + 0.04)], 0.05, tone(canvas.main, 0.75))


def pizza(canvas: ShapeCanvas) -> None:
    """A pizza: a slice with a crust, or a whole one."""
    cheese, sausage = (250, 206, 96), (196, 60, 44)
    if canvas.chance(0.35):
        canvas.circle(0, 0, 0.95, CRUST)
        canvas.circle(0, 0, 0.8, cheese)
        for step in range(7):
            a, r = math.radians(51 * step + canvas.uniform(0, 20)), canvas.uniform(0.4, 0.6)
            canvas.circle(r * math.cos(a), r * math.sin(a), 0.15, sausage)
        canvas.circle(0, 0, 0.14, sausage)
        for step in range(4):
            a = math.radians(45 * step)
            x, y = 0.93 * math.cos(a), 0.93 * math.sin(a)
            canvas.line([(x, y), (-x, -y)], 0.035, tone(CRUST, 0.85))
        return
    w = canvas.uniform(0.65, 0.85)
    canvas.polygon([(-w, -0.65), (w, -0.65), (0.0, 0.98)], cheese)
    canvas.line([(-w, -0.68), (0.0, -0.8), (w, -0.68)], 0.28, CRUST, smooth=True)
    for x, y in ((-0.3, -0.3), (0.28, -0.22), (0.0, 0.25)):
        canvas.circle(x * w / 0.75, y + canvas.uniform(-0.05, 0.05), 0.16, sausage)
    for _ in range(3):
        x, y = canvas.uniform(-0.35, 0.35), canvas.uniform(-0.45, 0.1)
        canvas.line([(x, y), (x + 0.1, y + 0.05)], 0.06, GREEN)


def cake(canvas: ShapeCanvas) -> None:
    """A birthday cake: one or two tiers, dripping icing, candles."""
    icing, dough = canvas.main, (232, 196, 140)
    top = canvas.uniform(-0.1, 0.05)
    tiers = [(0.9, top, 0.85)]
    if canvas.chance(0.5):
        tiers = [(0.92, 0.25, 0.88), (0.6, -0.28, 0.25)]
    canvas.ellipse(0, 0.86, 0.98, 0.1, WHITE)
    for w, y0, y1 in tiers:
        canvas.rectangle((-w, y0, w, y1), dough, 0.06)
        canvas.rectangle((-w, y0 + (y1 - y0) * 0.6, w, y0 + (y1 - y0) * 0.75), tone(icing, 0.8))
        canvas.rectangle((-w, y0 - 0.05, w, y0 + 0.18), icing, 0.08)
        for step in range(5):
            x = -w + (step + 0.5) * 2 * w / 5
            canvas.ellipse(x, y0 + 0.18, w / 6, canvas.uniform(0.1, 0.17), icing)
    y = tiers[-1][1]
    for x in (-0.35, 0.0, 0.35) if canvas.chance(0.6) else (0.0,):
        canvas.rectangle((x - 0.05, y - 0.4, x + 0.05, y - 0.05), canvas.accent)
        canvas.ellipse(x, y - 0.5, 0.06, 0.12, (255, 196, 60))


def ice_cream(canvas: ShapeCanvas) -> None:
    """Ice cream: a cone with one to three scoops."""
    scoops = int(canvas.rng.integers(1, 4))
    canvas.polygon([(-0.42, -0.02), (0.42, -0.02), (0.0, 0.98)], CRUST)
    dark = tone(CRUST, 0.78)
    for t in (0.3, 0.62):
        canvas.line([(-0.42 + 0.42 * t, t), (0.42 - 0.2 * t, 0.02)], 0.045, dark)
        canvas.line([(0.42 - 0.42 * t, t), (-0.42 + 0.2 * t, 0.02)], 0.045, dark)
    places: dict[int, list[Point]] = {
        1: [(0, -0.3)],
        2: [(-0.22, -0.2), (0.24, -0.24)],
        3: [(-0.25, -0.15), (0.25, -0.15), (0, -0.55)],
    }
    tones = [canvas.main, tone(canvas.main, 1.5), canvas.accent]
    for (x, y), fill in zip(places[scoops], tones, strict=False):
        r = 0.52 if scoops == 1 else 0.38
        canvas.circle(x, y, r, fill)
        canvas.ellipse(x - r * 0.35, y - r * 0.4, r * 0.2, r * 0.14, tone(fill, 1.5), -40)
    canvas.rectangle((-0.5, -0.08, 0.5, 0.06), tone(CRUST, 0.9), 0.06)
    if canvas.chance(0.4):
        canvas.circle(0.02, places[scoops][-1][1] - 0.5, 0.12, (206, 36, 48))
