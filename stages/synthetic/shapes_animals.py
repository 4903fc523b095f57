"""Shapes of animals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.shape_canvas import BLACK, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.shape_canvas import Colour, ShapeCanvas

PINK: Colour = (238, 160, 168)


def _draw_sitting_body(canvas: ShapeCanvas, tail: bool) -> float:
    """Draw a sitting body in some images; return the y of the head's centre."""
    if canvas.chance(0.4):
        return 0.1
    if tail:
        canvas.line(
            [(0.4, 0.8), (0.75, 0.7), (0.8, 0.35), (0.7, 0.2)], 0.16, tone(canvas.main, 0.9), True
        )
    canvas.closed_curve(
        [
            (0, -0.1),
            (0.42, 0.2),
            (0.55, 0.75),
            (0.4, 0.98),
            (-0.4, 0.98),
            (-0.55, 0.75),
            (-0.42, 0.2),
        ],
        canvas.main,
    )
    canvas.ellipse(0, 0.55, 0.24, 0.32, tone(canvas.main, 1.4))
    for x in (-0.2, 0.2):
        canvas.ellipse(x, 0.92, 0.17, 0.09, tone(canvas.main, 1.25))
    return -0.3


def cat(canvas: ShapeCanvas) -> None:
    """A cat: pointed ears, whiskers, often a sitting body with a tail."""
    y = _draw_sitting_body(canvas, tail=True)
    s = 0.62 if y < 0 else 0.8
    for side in (-1, 1):
        canvas.polygon(
            [(side * s * 0.98, y - s * 1.1), (side * s * 0.92, y), (side * s * 0.2, y - s * 0.6)],
            canvas.main,
        )
        canvas.polygon(
            [
                (side * s * 0.86, y - s * 0.86),
                (side * s * 0.82, y - s * 0.3),
                (side * s * 0.42, y - s * 0.56),
            ],
            PINK,
        )
    canvas.ellipse(0, y, s, s * 0.82, canvas.main)
    if canvas.chance(0.5):
        for x in (-0.2, 0.0, 0.2):
            canvas.line(
                [(x * s, y - s * 0.72), (x * s * 0.8, y - s * 0.42)], 0.07, tone(canvas.main, 0.65)
            )
    canvas.ellipse(0, y + s * 0.36, s * 0.42, s * 0.28, tone(canvas.main, 1.5))
    canvas.eyes(0, y - s * 0.06, s * 0.8, s * 0.15)
    canvas.polygon([(-s * 0.12, y + s * 0.18), (s * 0.12, y + s * 0.18), (0, y + s * 0.32)], PINK)
    for side in (-1, 1):
        for dy in (0.2, 0.38):
            canvas.line(
                [(side * s * 0.4, y + s * 0.3), (side * s * 1.15, y + s * dy)],
                0.03,
                tone(BLACK, 1.2),
            )


def dog(canvas: ShapeCanvas) -> None:
    """A dog: hanging ears, a long muzzle with a big nose, often a sitting body."""
    y = _draw_sitting_body(canvas, tail=True)
    s = 0.6 if y < 0 else 0.78
    ear = tone(canvas.main, 0.6)
    canvas.ellipse(0, y, s * 0.85, s * 0.9, canvas.main)
    if canvas.chance(0.4):
        canvas.ellipse(s * 0.34, y - s * 0.16, s * 0.3, s * 0.32, ear)
    for side in (-1, 1):
        canvas.ellipse(side * s * 0.92, y + s * 0.08, s * 0.3, s * 0.72, ear, -side * 14)
    canvas.ellipse(0, y + s * 0.45, s * 0.48, s * 0.42, tone(canvas.main, 1.55))
    canvas.eyes(0, y - s * 0.14, s * 0.66, s * 0.13)
    if canvas.chance(0.6):
        canvas.ellipse(0, y + s * 0.84, s * 0.16, s * 0.24, (226, 90, 100))
    canvas.ellipse(0, y + s * 0.26, s * 0.22, s * 0.16, BLACK)
    canvas.line([(0, y + s * 0.4), (0, y + s * 0.6)], 0.05, BLACK)
    canvas.line(
        [(-s * 0.3, y + s * 0.58), (0, y + s * 0.68), (s * 0.3, y + s * 0.58)], 0.05, BLACK, True
    )


def rabbit(canvas: ShapeCanvas) -> None:
    """A rabbit: two long ears, big teeth, often a sitting body."""
    y = 0.12 + _draw_sitting_body(canvas, tail=False)
    s = 0.5 if y < 0.1 else 0.62
    for side in (-1, 1):
        lean = side * canvas.uniform(4, 20)
        x = side * s * 0.45 + 0.006 * lean
        canvas.ellipse(x, y - s * 1.4, s * 0.26, s * 0.85, canvas.main, lean)
        canvas.ellipse(x, y - s * 1.35, s * 0.13, s * 0.62, PINK, lean)
    canvas.ellipse(0, y, s * 0.95, s * 0.85, canvas.main)
    for side in (-1, 1):
        canvas.ellipse(side * s * 0.28, y + s * 0.4, s * 0.34, s * 0.26, tone(canvas.main, 1.6))
    canvas.rectangle((-s * 0.16, y + s * 0.5, s * 0.16, y + s * 0.82), WHITE, 0.03)
    canvas.line([(0, y + s * 0.52), (0, y + s * 0.8)], 0.03, tone(canvas.main, 0.6))
    canvas.eyes(0, y - s * 0.12, s * 0.84, s * 0.14)
    canvas.ellipse(0, y + s * 0.2, s * 0.15, s * 0.1, PINK)


def fish(canvas: ShapeCanvas) -> None:
    """A fish from the side: body, forked tail, fins and one eye."""
    ry = canvas.uniform(0.38, 0.55)
    fin = tone(canvas.accent, 1.0)
    canvas.polygon([(-0.45, 0), (-0.98, -0.48), (-0.84, 0), (-0.98, 0.48)], fin)
    canvas.polygon([(-0.15, -ry * 0.8), (0.1, -ry - 0.28), (0.4, -ry * 0.75)], fin)
    canvas.polygon([(0.0, ry * 0.8), (-0.05, ry + 0.2), (0.3, ry * 0.8)], fin)
    canvas.closed_curve(
        [(-0.62, 0), (-0.1, -ry), (0.55, -ry * 0.78), (0.95, 0.0), (0.55, ry * 0.78), (-0.1, ry)],
        canvas.main,
    )
    if canvas.chance(0.6):
        for x in (-0.2, 0.12):
            canvas.line(
                [(x, -ry * 0.8), (x + 0.08, 0), (x, ry * 0.8)], 0.12, tone(canvas.main, 1.55), True
            )
    else:
        for x, y in ((-0.25, -0.1), (0.05, -0.15), (-0.1, 0.12), (0.2, 0.1)):
            canvas.circle(x, y, 0.08, tone(canvas.main, 0.75))
    canvas.circle(0.6, -ry * 0.25, 0.13, WHITE)
    canvas.circle(0.63, -ry * 0.25, 0.07, BLACK)
    canvas.line([(0.74, ry * 0.34), (0.88, ry * 0.22)], 0.05, tone(canvas.main, 0.5))
    canvas.polygon([(0.2, 0.02), (-0.1, 0.26), (0.16, 0.24)], fin)


def bird(canvas: ShapeCanvas) -> None:
    """A small bird from the side: round body, beak, wing, tail and thin legs."""
    for x in (-0.08, 0.16):
        canvas.line([(x, 0.5), (x + 0.02, 0.93), (x + 0.16, 0.95)], 0.06, (220, 140, 40))
    canvas.polygon(
        [(-0.4, 0.1), (-0.98, canvas.uniform(-0.35, 0.1)), (-0.9, 0.35), (-0.3, 0.42)],
        tone(canvas.main, 0.75),
    )
    canvas.polygon([(0.62, -0.6), (0.98, -0.42), (0.62, -0.3)], (240, 160, 40))
    canvas.ellipse(0.02, 0.2, 0.58, 0.46, canvas.main, -18)
    canvas.circle(0.4, -0.42, 0.36, canvas.main)
    canvas.ellipse(0.22, 0.3, 0.32, 0.28, tone(canvas.main, 1.6), -18)
    canvas.closed_curve(
        [(0.22, 0.0), (-0.1, -0.1), (-0.62, 0.12), (-0.4, 0.34), (0.0, 0.36)],
        tone(canvas.main, 0.65),
    )
    canvas.circle(0.5, -0.5, 0.08, BLACK)
    canvas.circle(0.47, -0.53, 0.03, WHITE)
    if canvas.chance(0.3):
        canvas.polygon([(0.3, -0.72), (0.15, -0.98), (0.45, -0.76)], tone(canvas.main, 0.7))


def butterfly(canvas: ShapeCanvas) -> None:
    """A butterfly with four wings spread, spots and feelers."""
    w = canvas.uniform(0.46, 0.56)
    for side in (-1, 1):
        canvas.ellipse(side * 0.5, -0.36, w, 0.4, tone(canvas.main, 0.7), side * -38)
        canvas.ellipse(side * 0.5, -0.36, w * 0.8, 0.29, canvas.main, side * -38)
        canvas.ellipse(side * 0.4, 0.42, 0.36, 0.4, tone(canvas.main, 0.7), side * 30)
        canvas.ellipse(side * 0.4, 0.42, 0.26, 0.28, canvas.accent, side * 30)
        canvas.circle(side * 0.62, -0.44, 0.13, tone(canvas.accent, 1.3))
        canvas.line([(0, -0.5), (side * 0.12, -0.8), (side * 0.26, -0.92)], 0.045, BLACK, True)
    canvas.ellipse(0, 0.05, 0.1, 0.62, BLACK)
    canvas.circle(0, -0.56, 0.12, BLACK)


def snail(canvas: ShapeCanvas) -> None:
    """A snail: a spiral shell on a long foot, eyes on stalks."""
    skin = (222, 190, 140)
    canvas.closed_curve(
        [
            (-0.98, 0.72),
            (-0.6, 0.5),
            (0.4, 0.46),
            (0.52, -0.1),
            (0.8, -0.18),
            (0.92, 0.1),
            (0.78, 0.7),
            (0.3, 0.8),
            (-0.6, 0.8),
        ],
        skin,
    )
    for x in (0.62, 0.88):
        canvas.line([(0.72, -0.1), (x, -0.5)], 0.07, skin)
        canvas.circle(x, -0.54, 0.09, BLACK)
    canvas.circle(-0.18, 0.02, 0.6, canvas.main)
    turns = [
        (-0.18 + r * math.cos(a), 0.02 + r * math.sin(a))
        for a, r in ((0.5 * k, 0.5 - 0.022 * k) for k in range(21))
    ]
    canvas.line(turns, 0.09, tone(canvas.main, 0.62), True)
    canvas.line([(0.66, 0.32), (0.8, 0.3)], 0.04, tone(skin, 0.6))


def turtle(canvas: ShapeCanvas) -> None:
    """A turtle from the side: a domed shell with plates, head, legs and tail."""
    skin = (150, 190, 90) if canvas.chance(0.6) else (190, 176, 110)
    canvas.polygon([(-0.7, 0.36), (-0.98, 0.52), (-0.6, 0.52)], skin)
    for x in (-0.45, 0.38):
        canvas.rectangle((x - 0.15, 0.3, x + 0.15, 0.78), skin, 0.12)
    canvas.line([(0.5, 0.3), (0.78, 0.0)], 0.26, skin)
    canvas.ellipse(0.8, -0.08, 0.19, 0.17, skin)
    canvas.circle(0.86, -0.13, 0.05, BLACK)
    h = canvas.uniform(0.62, 0.8)
    dome = [
        (0.7 * math.cos(a), 0.4 - h * math.sin(a)) for a in (math.pi * k / 16 for k in range(17))
    ]
    canvas.polygon([(x - 0.08, y) for x, y in dome], canvas.main)
    for x, y, r in ((-0.08, 0.4 - h * 0.55, 0.2), (-0.45, 0.22, 0.13), (0.3, 0.22, 0.13)):
        canvas.polygon(
            [
                (x + r * math.cos(math.pi * k / 3), y + r * math.sin(math.pi * k / 3))
                for k in range(6)
            ],
            tone(canvas.main, 0.68),
        )
    canvas.rectangle((-0.84, 0.34, 0.68, 0.46), tone(canvas.main, 1.35), 0.05)
