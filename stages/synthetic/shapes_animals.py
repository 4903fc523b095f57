"""Shapes of animals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.pen import BLACK, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.pen import Colour, Pen

PINK: Colour = (238, 160, 168)


def _sit(pen: Pen, tail: bool) -> float:
    """Draw a sitting body under the head in some pictures; the y of the head's centre."""
    if pen.chance(0.4):
        return 0.1
    if tail:
        pen.line(
            [(0.4, 0.8), (0.75, 0.7), (0.8, 0.35), (0.7, 0.2)], 0.16, tone(pen.main, 0.9), True
        )
    pen.blob(
        [
            (0, -0.1),
            (0.42, 0.2),
            (0.55, 0.75),
            (0.4, 0.98),
            (-0.4, 0.98),
            (-0.55, 0.75),
            (-0.42, 0.2),
        ],
        pen.main,
    )
    pen.oval(0, 0.55, 0.24, 0.32, tone(pen.main, 1.4))
    for x in (-0.2, 0.2):
        pen.oval(x, 0.92, 0.17, 0.09, tone(pen.main, 1.25))
    return -0.3


def cat(pen: Pen) -> None:
    """A cat: pointed ears, whiskers, often a sitting body with a tail."""
    y = _sit(pen, tail=True)
    s = 0.62 if y < 0 else 0.8
    for side in (-1, 1):
        pen.poly(
            [(side * s * 0.98, y - s * 1.1), (side * s * 0.92, y), (side * s * 0.2, y - s * 0.6)],
            pen.main,
        )
        pen.poly(
            [
                (side * s * 0.86, y - s * 0.86),
                (side * s * 0.82, y - s * 0.3),
                (side * s * 0.42, y - s * 0.56),
            ],
            PINK,
        )
    pen.oval(0, y, s, s * 0.82, pen.main)
    if pen.chance(0.5):
        for x in (-0.2, 0.0, 0.2):
            pen.line(
                [(x * s, y - s * 0.72), (x * s * 0.8, y - s * 0.42)], 0.07, tone(pen.main, 0.65)
            )
    pen.oval(0, y + s * 0.36, s * 0.42, s * 0.28, tone(pen.main, 1.5))
    pen.eyes(0, y - s * 0.06, s * 0.8, s * 0.15)
    pen.poly([(-s * 0.12, y + s * 0.18), (s * 0.12, y + s * 0.18), (0, y + s * 0.32)], PINK)
    for side in (-1, 1):
        for dy in (0.2, 0.38):
            pen.line(
                [(side * s * 0.4, y + s * 0.3), (side * s * 1.15, y + s * dy)],
                0.03,
                tone(BLACK, 1.2),
            )


def dog(pen: Pen) -> None:
    """A dog: hanging ears, a long muzzle with a big nose, often a sitting body."""
    y = _sit(pen, tail=True)
    s = 0.6 if y < 0 else 0.78
    ear = tone(pen.main, 0.6)
    pen.oval(0, y, s * 0.85, s * 0.9, pen.main)
    if pen.chance(0.4):
        pen.oval(s * 0.34, y - s * 0.16, s * 0.3, s * 0.32, ear)
    for side in (-1, 1):
        pen.oval(side * s * 0.92, y + s * 0.08, s * 0.3, s * 0.72, ear, -side * 14)
    pen.oval(0, y + s * 0.45, s * 0.48, s * 0.42, tone(pen.main, 1.55))
    pen.eyes(0, y - s * 0.14, s * 0.66, s * 0.13)
    if pen.chance(0.6):
        pen.oval(0, y + s * 0.84, s * 0.16, s * 0.24, (226, 90, 100))
    pen.oval(0, y + s * 0.26, s * 0.22, s * 0.16, BLACK)
    pen.line([(0, y + s * 0.4), (0, y + s * 0.6)], 0.05, BLACK)
    pen.line(
        [(-s * 0.3, y + s * 0.58), (0, y + s * 0.68), (s * 0.3, y + s * 0.58)], 0.05, BLACK, True
    )


def rabbit(pen: Pen) -> None:
    """A rabbit: two long ears, big teeth, often a sitting body."""
    y = 0.12 + _sit(pen, tail=False)
    s = 0.5 if y < 0.1 else 0.62
    for side in (-1, 1):
        lean = side * pen.vary(4, 20)
        x = side * s * 0.45 + 0.006 * lean
        pen.oval(x, y - s * 1.4, s * 0.26, s * 0.85, pen.main, lean)
        pen.oval(x, y - s * 1.35, s * 0.13, s * 0.62, PINK, lean)
    pen.oval(0, y, s * 0.95, s * 0.85, pen.main)
    for side in (-1, 1):
        pen.oval(side * s * 0.28, y + s * 0.4, s * 0.34, s * 0.26, tone(pen.main, 1.6))
    pen.rect((-s * 0.16, y + s * 0.5, s * 0.16, y + s * 0.82), WHITE, 0.03)
    pen.line([(0, y + s * 0.52), (0, y + s * 0.8)], 0.03, tone(pen.main, 0.6))
    pen.eyes(0, y - s * 0.12, s * 0.84, s * 0.14)
    pen.oval(0, y + s * 0.2, s * 0.15, s * 0.1, PINK)


def fish(pen: Pen) -> None:
    """A fish from the side: body, forked tail, fins and one eye."""
    ry = pen.vary(0.38, 0.55)
    fin = tone(pen.accent, 1.0)
    pen.poly([(-0.45, 0), (-0.98, -0.48), (-0.84, 0), (-0.98, 0.48)], fin)
    pen.poly([(-0.15, -ry * 0.8), (0.1, -ry - 0.28), (0.4, -ry * 0.75)], fin)
    pen.poly([(0.0, ry * 0.8), (-0.05, ry + 0.2), (0.3, ry * 0.8)], fin)
    pen.blob(
        [(-0.62, 0), (-0.1, -ry), (0.55, -ry * 0.78), (0.95, 0.0), (0.55, ry * 0.78), (-0.1, ry)],
        pen.main,
    )
    if pen.chance(0.6):
        for x in (-0.2, 0.12):
            pen.line(
                [(x, -ry * 0.8), (x + 0.08, 0), (x, ry * 0.8)], 0.12, tone(pen.main, 1.55), True
            )
    else:
        for x, y in ((-0.25, -0.1), (0.05, -0.15), (-0.1, 0.12), (0.2, 0.1)):
            pen.disc(x, y, 0.08, tone(pen.main, 0.75))
    pen.disc(0.6, -ry * 0.25, 0.13, WHITE)
    pen.disc(0.63, -ry * 0.25, 0.07, BLACK)
    pen.line([(0.74, ry * 0.34), (0.88, ry * 0.22)], 0.05, tone(pen.main, 0.5))
    pen.poly([(0.2, 0.02), (-0.1, 0.26), (0.16, 0.24)], fin)


def bird(pen: Pen) -> None:
    """A small bird from the side: round body, beak, wing, tail and thin legs."""
    for x in (-0.08, 0.16):
        pen.line([(x, 0.5), (x + 0.02, 0.93), (x + 0.16, 0.95)], 0.06, (220, 140, 40))
    pen.poly(
        [(-0.4, 0.1), (-0.98, pen.vary(-0.35, 0.1)), (-0.9, 0.35), (-0.3, 0.42)],
        tone(pen.main, 0.75),
    )
    pen.poly([(0.62, -0.6), (0.98, -0.42), (0.62, -0.3)], (240, 160, 40))
    pen.oval(0.02, 0.2, 0.58, 0.46, pen.main, -18)
    pen.disc(0.4, -0.42, 0.36, pen.main)
    pen.oval(0.22, 0.3, 0.32, 0.28, tone(pen.main, 1.6), -18)
    pen.blob(
        [(0.22, 0.0), (-0.1, -0.1), (-0.62, 0.12), (-0.4, 0.34), (0.0, 0.36)], tone(pen.main, 0.65)
    )
    pen.disc(0.5, -0.5, 0.08, BLACK)
    pen.disc(0.47, -0.53, 0.03, WHITE)
    if pen.chance(0.3):
        pen.poly([(0.3, -0.72), (0.15, -0.98), (0.45, -0.76)], tone(pen.main, 0.7))


def butterfly(pen: Pen) -> None:
    """A butterfly with four wings spread, spots and feelers."""
    w = pen.vary(0.46, 0.56)
    for side in (-1, 1):
        pen.oval(side * 0.5, -0.36, w, 0.4, tone(pen.main, 0.7), side * -38)
        pen.oval(side * 0.5, -0.36, w * 0.8, 0.29, pen.main, side * -38)
        pen.oval(side * 0.4, 0.42, 0.36, 0.4, tone(pen.main, 0.7), side * 30)
        pen.oval(side * 0.4, 0.42, 0.26, 0.28, pen.accent, side * 30)
        pen.disc(side * 0.62, -0.44, 0.13, tone(pen.accent, 1.3))
        pen.line([(0, -0.5), (side * 0.12, -0.8), (side * 0.26, -0.92)], 0.045, BLACK, True)
    pen.oval(0, 0.05, 0.1, 0.62, BLACK)
    pen.disc(0, -0.56, 0.12, BLACK)


def snail(pen: Pen) -> None:
    """A snail: a spiral shell on a long foot, eyes on stalks."""
    skin = (222, 190, 140)
    pen.blob(
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
        pen.line([(0.72, -0.1), (x, -0.5)], 0.07, skin)
        pen.disc(x, -0.54, 0.09, BLACK)
    pen.disc(-0.18, 0.02, 0.6, pen.main)
    turns = [
        (-0.18 + r * math.cos(a), 0.02 + r * math.sin(a))
        for a, r in ((0.5 * k, 0.5 - 0.022 * k) for k in range(21))
    ]
    pen.line(turns, 0.09, tone(pen.main, 0.62), True)
    pen.line([(0.66, 0.32), (0.8, 0.3)], 0.04, tone(skin, 0.6))


def turtle(pen: Pen) -> None:
    """A turtle from the side: a domed shell with plates, head, legs and tail."""
    skin = (150, 190, 90) if pen.chance(0.6) else (190, 176, 110)
    pen.poly([(-0.7, 0.36), (-0.98, 0.52), (-0.6, 0.52)], skin)
    for x in (-0.45, 0.38):
        pen.rect((x - 0.15, 0.3, x + 0.15, 0.78), skin, 0.12)
    pen.line([(0.5, 0.3), (0.78, 0.0)], 0.26, skin)
    pen.oval(0.8, -0.08, 0.19, 0.17, skin)
    pen.disc(0.86, -0.13, 0.05, BLACK)
    h = pen.vary(0.62, 0.8)
    dome = [
        (0.7 * math.cos(a), 0.4 - h * math.sin(a)) for a in (math.pi * k / 16 for k in range(17))
    ]
    pen.poly([(x - 0.08, y) for x, y in dome], pen.main)
    for x, y, r in ((-0.08, 0.4 - h * 0.55, 0.2), (-0.45, 0.22, 0.13), (0.3, 0.22, 0.13)):
        pen.poly(
            [
                (x + r * math.cos(math.pi * k / 3), y + r * math.sin(math.pi * k / 3))
                for k in range(6)
            ],
            tone(pen.main, 0.68),
        )
    pen.rect((-0.84, 0.34, 0.68, 0.46), tone(pen.main, 1.35), 0.05)
