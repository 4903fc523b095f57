"""Shapes of things to play with, and to wear."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.pen import BLACK, BROWN, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.pen import Pen


def ball(pen: Pen) -> None:
    """A beach ball with coloured sections, or a football with dark patches."""
    if pen.chance(0.4):
        pen.disc(0, 0, 0.92, WHITE)
        for k in range(5):
            a = math.radians(72 * k - 90)
            pen.line(
                [(0.2 * math.cos(a), 0.2 * math.sin(a)), (0.8 * math.cos(a), 0.8 * math.sin(a))],
                0.05,
                BLACK,
            )
            pen.oval(0.78 * math.cos(a), 0.78 * math.sin(a), 0.14, 0.26, pen.main, math.degrees(a))
        pen.poly(
            [
                (
                    0.3 * math.cos(math.radians(72 * k - 90)),
                    0.3 * math.sin(math.radians(72 * k - 90)),
                )
                for k in range(5)
            ],
            pen.main,
        )
        return
    pen.disc(0, 0, 0.92, WHITE)
    centre = (-0.2, -0.3)
    for k in range(6):
        arc = [
            (0.92 * math.cos(a), 0.92 * math.sin(a))
            for a in (math.radians(60 * k + 10 * j) for j in range(7))
        ]
        fill = (pen.main, WHITE, pen.accent)[k % 3]
        pen.poly([centre, *arc], fill)
    pen.disc(*centre, 0.15, WHITE)


def balloon(pen: Pen) -> None:
    """A balloon: a drop with a knot and a string."""
    w = pen.vary(0.5, 0.6)
    pen.line(
        [(0, 0.3), (0.1, 0.55), (-0.08, 0.75), (0.04, 0.98)], 0.04, tone(BLACK, 1.3), smooth=True
    )
    pen.blob(
        [
            (0, -0.97),
            (w * 0.8, -0.78),
            (w, -0.35),
            (w * 0.6, 0.1),
            (0, 0.34),
            (-w * 0.6, 0.1),
            (-w, -0.35),
            (-w * 0.8, -0.78),
        ],
        pen.main,
    )
    pen.poly([(0, 0.28), (0.12, 0.44), (-0.12, 0.44)], tone(pen.main, 0.75))
    pen.shine(-w * 0.45, -0.58, 0.1, 0.2, 25)


def kite(pen: Pen) -> None:
    """A kite: a diamond of four sections with a tail of bows."""
    w = pen.vary(0.48, 0.62)
    tail = [(0, 0.3), (0.16, 0.52), (-0.12, 0.7), (0.08, 0.97)]
    pen.line(tail, 0.045, BLACK, smooth=True)
    corners = [(0.0, -0.98), (w, -0.4), (0.0, 0.34), (-w, -0.4)]
    for k, fill in enumerate((pen.main, pen.accent, pen.main, tone(pen.accent, 1.35))):
        pen.poly([corners[k], corners[(k + 1) % 4], (0.0, -0.4)], fill)
    pen.line([corners[0], corners[2]], 0.04, tone(BROWN, 0.8))
    pen.line([corners[1], corners[3]], 0.04, tone(BROWN, 0.8))
    for x, y in tail[1:3]:
        pen.poly([(x, y), (x - 0.17, y - 0.09), (x - 0.17, y + 0.09)], pen.accent)
        pen.poly([(x, y), (x + 0.17, y - 0.09), (x + 0.17, y + 0.09)], pen.accent)


def guitar(pen: Pen) -> None:
    """A guitar: a waisted body with a sound hole, a long neck and a head."""
    pen.rect((-0.08, -0.85, 0.08, 0.2), tone(BROWN, 0.7))
    pen.rect((-0.15, -0.98, 0.15, -0.74), tone(BROWN, 0.55), 0.04)
    waist = pen.vary(0.24, 0.31)
    right = [(0.34, -0.12), (waist, 0.2), (0.5, 0.6), (0.3, 0.94)]
    pen.blob([(0.0, -0.2), *right, (0.0, 0.98), *[(-x, y) for x, y in reversed(right)]], pen.main)
    pen.disc(0, 0.26, 0.16, tone(BROWN, 0.35))
    pen.rect((-0.2, 0.66, 0.2, 0.74), tone(BROWN, 0.5))
    for x in (-0.045, 0.0, 0.045):
        pen.line([(x, -0.8), (x, 0.7)], 0.018, (230, 226, 210))


def tennis_racket(pen: Pen) -> None:
    """A tennis racket: a strung oval and a handle, sometimes with a ball."""
    rx = pen.vary(0.4, 0.48)
    for k in range(-3, 4):
        d = k / 4
        half = math.sqrt(1 - d * d)
        pen.line(
            [(rx * d, -0.42 - 0.52 * half), (rx * d, -0.42 + 0.52 * half)], 0.025, (236, 236, 226)
        )
        pen.line(
            [(-rx * half, -0.42 + 0.52 * d), (rx * half, -0.42 + 0.52 * d)], 0.025, (236, 236, 226)
        )
    pen.ring(0, -0.42, rx, 0.52, 0.1, pen.main)
    pen.line([(-0.2, 0.02), (0, 0.32), (0.2, 0.02)], 0.08, pen.main)
    pen.rect((-0.07, 0.25, 0.07, 0.6), pen.main)
    pen.rect((-0.1, 0.48, 0.1, 0.98), BLACK, 0.05)
    if pen.chance(0.4):
        pen.disc(0.5, 0.6, 0.19, (206, 226, 60))
        pen.line([(0.38, 0.48), (0.5, 0.58), (0.48, 0.76)], 0.03, WHITE, smooth=True)


def snowman(pen: Pen) -> None:
    """A snowman: two or three balls of snow, a carrot nose, hat and scarf."""
    snow = (244, 248, 252)
    for side in (-1, 1):
        pen.line([(side * 0.3, 0.05), (side * 0.75, pen.vary(-0.35, 0.0))], 0.06, BROWN)
    pen.disc(0, 0.58, 0.42, tone(snow, 0.93))
    pen.disc(0, 0.05, 0.34, snow)
    pen.disc(0, -0.42, 0.27, snow)
    for y in (-0.02, 0.14, 0.46):
        pen.disc(0, y, 0.05, BLACK)
    pen.line([(-0.22, -0.2), (0.0, -0.15), (0.22, -0.2)], 0.12, pen.main, smooth=True)
    pen.line([(0.14, -0.16), (0.2, 0.12)], 0.12, pen.main)
    pen.eyes(0, -0.48, 0.2, 0.045)
    pen.poly([(-0.02, -0.42), (0.28, -0.35), (-0.02, -0.34)], (240, 130, 40))
    pen.rect((-0.2, -0.98, 0.2, -0.62), BLACK if pen.chance(0.6) else pen.accent)
    pen.rect((-0.34, -0.68, 0.34, -0.6), BLACK, 0.04)


def hat(pen: Pen) -> None:
    """A hat: a top hat with a band, a straw hat or a cap."""
    style = pen.rng.integers(3)
    if style == 0:
        pen.rect((-0.5, -0.75, 0.5, 0.5), pen.main, 0.06)
        pen.rect((-0.5, 0.2, 0.5, 0.42), pen.accent)
        pen.oval(0, 0.55, 0.95, 0.17, pen.main)
        return
    if style == 1:
        pen.oval(0, 0.35, 0.97, 0.24, tone(pen.main, 0.85))
        pen.blob(
            [(-0.52, 0.3), (-0.45, -0.35), (0, -0.55), (0.45, -0.35), (0.52, 0.3), (0, 0.42)],
            pen.main,
        )
        pen.line([(-0.5, 0.2), (0, 0.34), (0.5, 0.2)], 0.17, pen.accent, smooth=True)
        return
    dome = [
        (-0.15 + 0.62 * math.cos(a), 0.3 - 0.75 * math.sin(a))
        for a in (math.pi * k / 16 for k in range(17))
    ]
    pen.blob([(0.3, 0.2), (0.97, 0.26), (0.95, 0.42), (0.3, 0.42)], tone(pen.main, 0.75))
    pen.poly(dome, pen.main)
    pen.line([(-0.15, -0.42), (0.1, -0.1), (0.12, 0.26)], 0.04, tone(pen.main, 0.7), smooth=True)
    pen.disc(-0.15, -0.45, 0.08, pen.accent)


def shoe(pen: Pen) -> None:
    """A sports shoe from the side, with laces and a thick sole; sometimes a high top."""
    top = pen.vary(-0.75, -0.3)
    pen.blob(
        [
            (-0.88, top),
            (-0.3, top),
            (-0.12, -0.12),
            (0.5, 0.12),
            (0.93, 0.3),
            (0.9, 0.5),
            (-0.85, 0.5),
            (-0.95, 0.1),
        ],
        pen.main,
    )
    pen.rect((-0.95, 0.42, 0.97, 0.62), WHITE, 0.09)
    pen.line([(-0.9, 0.5), (0.92, 0.5)], 0.04, pen.accent)
    pen.oval(-0.58, top + 0.03, 0.26, 0.09, tone(pen.main, 0.5))
    for k in range(3):
        x, y = -0.15 + 0.18 * k, -0.12 + 0.1 * k
        pen.line([(x - 0.08, y + 0.12), (x + 0.1, y - 0.02)], 0.06, WHITE)
    pen.line([(-0.7, 0.25), (-0.3, 0.2), (0.05, 0.3)], 0.1, pen.accent, smooth=True)


def teddy_bear(pen: Pen) -> None:
    """A teddy bear: round ears, a pale muzzle and belly, arms and feet."""
    pale = tone(pen.main, 1.5)
    for side in (-1, 1):
        pen.disc(side * 0.36, -0.76, 0.2, pen.main)
        pen.disc(side * 0.36, -0.76, 0.11, pale)
        pen.oval(side * 0.52, 0.15, 0.18, 0.34, tone(pen.main, 0.88), side * -30)
        pen.oval(side * 0.42, 0.76, 0.26, 0.2, tone(pen.main, 0.88))
        pen.disc(side * 0.5, 0.78, 0.11, pale)
    pen.oval(0, 0.36, 0.48, 0.54, pen.main)
    pen.oval(0, 0.4, 0.3, 0.34, pale)
    pen.oval(0, -0.42, 0.5, 0.44, pen.main)
    pen.oval(0, -0.28, 0.23, 0.18, pale)
    pen.eyes(0, -0.5, 0.4, 0.07)
    pen.oval(0, -0.35, 0.09, 0.06, BLACK)
    if pen.chance(0.5):
        for side in (-1, 1):
            pen.poly([(0, 0.02), (side * 0.24, -0.1), (side * 0.24, 0.14)], pen.accent)


def drum(pen: Pen) -> None:
    """A drum: a cylinder with zigzag cords and two sticks."""
    h = pen.vary(0.4, 0.55)
    pen.rect((-0.78, -0.25, 0.78, h), pen.main)
    pen.oval(0, h, 0.78, 0.24, pen.main)
    zigzag = [(-0.72 + 0.24 * k, -0.1 if k % 2 else h) for k in range(7)]
    pen.line(zigzag, 0.06, tone(pen.accent, 1.3))
    pen.line(
        [(-0.78, h), (-0.4, h + 0.2), (0.4, h + 0.2), (0.78, h)],
        0.09,
        tone(pen.accent, 0.8),
        smooth=True,
    )
    pen.oval(0, -0.25, 0.82, 0.28, tone(pen.accent, 0.8))
    pen.oval(0, -0.27, 0.72, 0.22, (246, 238, 220))
    for side in (-1, 1):
        pen.line([(side * 0.1, -0.3), (side * 0.7, -0.85)], 0.07, BROWN)
        pen.disc(side * 0.1, -0.3, 0.08, BROWN)
