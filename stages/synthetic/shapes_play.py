"""Shapes of things to play with, and to wear."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.shape_canvas import BLACK, BROWN, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.shape_canvas import ShapeCanvas


def ball(canvas: ShapeCanvas) -> None:
    """A beach ball with coloured sections, or a football with dark patches."""
    if canvas.chance(0.4):
        canvas.circle(0, 0, 0.92, WHITE)
        for k in range(5):
            a = math.radians(72 * k - 90)
            canvas.line(
                [(0.2 * math.cos(a), 0.2 * math.sin(a)), (0.8 * math.cos(a), 0.8 * math.sin(a))],
                0.05,
                BLACK,
            )
            canvas.ellipse(
                0.78 * math.cos(a), 0.78 * math.sin(a), 0.14, 0.26, canvas.main, math.degrees(a)
            )
        canvas.polygon(
            [
                (
                    0.3 * math.cos(math.radians(72 * k - 90)),
                    0.3 * math.sin(math.radians(72 * k - 90)),
                )
                for k in range(5)
            ],
            canvas.main,
        )
        return
    canvas.circle(0, 0, 0.92, WHITE)
    centre = (-0.2, -0.3)
    for k in range(6):
        arc = [
            (0.92 * math.cos(a), 0.92 * math.sin(a))
            for a in (math.radians(60 * k + 10 * j) for j in range(7))
        ]
        fill = (canvas.main, WHITE, canvas.accent)[k % 3]
        canvas.polygon([centre, *arc], fill)
    canvas.circle(*centre, 0.15, WHITE)


def balloon(canvas: ShapeCanvas) -> None:
    """A balloon: a drop with a knot and a string."""
    w = canvas.uniform(0.5, 0.6)
    canvas.line(
        [(0, 0.3), (0.1, 0.55), (-0.08, 0.75), (0.04, 0.98)], 0.04, tone(BLACK, 1.3), smooth=True
    )
    canvas.closed_curve(
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
        canvas.main,
    )
    canvas.polygon([(0, 0.28), (0.12, 0.44), (-0.12, 0.44)], tone(canvas.main, 0.75))
    canvas.highlight(-w * 0.45, -0.58, 0.1, 0.2, 25)


def kite(canvas: ShapeCanvas) -> None:
    """A kite: a diamond of four sections with a tail of bows."""
    w = canvas.uniform(0.48, 0.62)
    tail = [(0, 0.3), (0.16, 0.52), (-0.12, 0.7), (0.08, 0.97)]
    canvas.line(tail, 0.045, BLACK, smooth=True)
    corners = [(0.0, -0.98), (w, -0.4), (0.0, 0.34), (-w, -0.4)]
    for k, fill in enumerate((canvas.main, canvas.accent, canvas.main, tone(canvas.accent, 1.35))):
        canvas.polygon([corners[k], corners[(k + 1) % 4], (0.0, -0.4)], fill)
    canvas.line([corners[0], corners[2]], 0.04, tone(BROWN, 0.8))
    canvas.line([corners[1], corners[3]], 0.04, tone(BROWN, 0.8))
    for x, y in tail[1:3]:
        canvas.polygon([(x, y), (x - 0.17, y - 0.09), (x - 0.17, y + 0.09)], canvas.accent)
        canvas.polygon([(x, y), (x + 0.17, y - 0.09), (x + 0.17, y + 0.09)], canvas.accent)


def guitar(canvas: ShapeCanvas) -> None:
    """A guitar: a waisted body with a sound hole, a long neck and a head."""
    canvas.rectangle((-0.08, -0.85, 0.08, 0.2), tone(BROWN, 0.7))
    canvas.rectangle((-0.15, -0.98, 0.15, -0.74), tone(BROWN, 0.55), 0.04)
    waist = canvas.uniform(0.24, 0.31)
    right = [(0.34, -0.12), (waist, 0.2), (0.5, 0.6), (0.3, 0.94)]
    canvas.closed_curve(
        [(0.0, -0.2), *right, (0.0, 0.98), *[(-x, y) for x, y in reversed(right)]], canvas.main
    )
    canvas.circle(0, 0.26, 0.16, tone(BROWN, 0.35))
    canvas.rectangle((-0.2, 0.66, 0.2, 0.74), tone(BROWN, 0.5))
    for x in (-0.045, 0.0, 0.045):
        canvas.line([(x, -0.8), (x, 0.7)], 0.018, (230, 226, 210))


def tennis_racket(canvas: ShapeCanvas) -> None:
    """A tennis racket: a strung oval and a handle, sometimes with a ball."""
    rx = canvas.uniform(0.4, 0.48)
    for k in range(-3, 4):
        d = k / 4
        half = math.sqrt(1 - d * d)
        canvas.line(
            [(rx * d, -0.42 - 0.52 * half), (rx * d, -0.42 + 0.52 * half)], 0.025, (236, 236, 226)
        )
        canvas.line(
            [(-rx * half, -0.42 + 0.52 * d), (rx * half, -0.42 + 0.52 * d)], 0.025, (236, 236, 226)
        )
    canvas.ring(0, -0.42, rx, 0.52, 0.1, canvas.main)
    canvas.line([(-0.2, 0.02), (0, 0.32), (0.2, 0.02)], 0.08, canvas.main)
    canvas.rectangle((-0.07, 0.25, 0.07, 0.6), canvas.main)
    canvas.rectangle((-0.1, 0.48, 0.1, 0.98), BLACK, 0.05)
    if canvas.chance(0.4):
        canvas.circle(0.5, 0.6, 0.19, (206, 226, 60))
        canvas.line([(0.38, 0.48), (0.5, 0.58), (0.48, 0.76)], 0.03, WHITE, smooth=True)


def snowman(canvas: ShapeCanvas) -> None:
    """A snowman: two or three balls of snow, a carrot nose, hat and scarf."""
    snow = (244, 248, 252)
    for side in (-1, 1):
        canvas.line([(side * 0.3, 0.05), (side * 0.75, canvas.uniform(-0.35, 0.0))], 0.06, BROWN)
    canvas.circle(0, 0.58, 0.42, tone(snow, 0.93))
    canvas.circle(0, 0.05, 0.34, snow)
    canvas.circle(0, -0.42, 0.27, snow)
    for y in (-0.02, 0.14, 0.46):
        canvas.circle(0, y, 0.05, BLACK)
    canvas.line([(-0.22, -0.2), (0.0, -0.15), (0.22, -0.2)], 0.12, canvas.main, smooth=True)
    canvas.line([(0.14, -0.16), (0.2, 0.12)], 0.12, canvas.main)
    canvas.eyes(0, -0.48, 0.2, 0.045)
    canvas.polygon([(-0.02, -0.42), (0.28, -0.35), (-0.02, -0.34)], (240, 130, 40))
    canvas.rectangle((-0.2, -0.98, 0.2, -0.62), BLACK if canvas.chance(0.6) else canvas.accent)
    canvas.rectangle((-0.34, -0.68, 0.34, -0.6), BLACK, 0.04)


def hat(canvas: ShapeCanvas) -> None:
    """A hat: a top hat with a band, a straw hat or a cap."""
    style = canvas.rng.integers(3)
    if style == 0:
        canvas.rectangle((-0.5, -0.75, 0.5, 0.5), canvas.main, 0.06)
        canvas.rectangle((-0.5, 0.2, 0.5, 0.42), canvas.accent)
        canvas.ellipse(0, 0.55, 0.95, 0.17, canvas.main)
        return
    if style == 1:
        canvas.ellipse(0, 0.35, 0.97, 0.24, tone(canvas.main, 0.85))
        canvas.closed_curve(
            [(-0.52, 0.3), (-0.45, -0.35), (0, -0.55), (0.45, -0.35), (0.52, 0.3), (0, 0.42)],
            canvas.main,
        )
        canvas.line([(-0.5, 0.2), (0, 0.34), (0.5, 0.2)], 0.17, canvas.accent, smooth=True)
        return
    dome = [
        (-0.15 + 0.62 * math.cos(a), 0.3 - 0.75 * math.sin(a))
        for a in (math.pi * k / 16 for k in range(17))
    ]
    canvas.closed_curve(
        [(0.3, 0.2), (0.97, 0.26), (0.95, 0.42), (0.3, 0.42)], tone(canvas.main, 0.75)
    )
    canvas.polygon(dome, canvas.main)
    canvas.line(
        [(-0.15, -0.42), (0.1, -0.1), (0.12, 0.26)], 0.04, tone(canvas.main, 0.7), smooth=True
    )
    canvas.circle(-0.15, -0.45, 0.08, canvas.accent)


def shoe(canvas: ShapeCanvas) -> None:
    """A sports shoe from the side, with laces and a thick sole; sometimes a high top."""
    top = canvas.uniform(-0.75, -0.3)
    canvas.closed_curve(
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
        canvas.main,
    )
    canvas.rectangle((-0.95, 0.42, 0.97, 0.62), WHITE, 0.09)
    canvas.line([(-0.9, 0.5), (0.92, 0.5)], 0.04, canvas.accent)
    canvas.ellipse(-0.58, top + 0.03, 0.26, 0.09, tone(canvas.main, 0.5))
    for k in range(3):
        x, y = -0.15 + 0.18 * k, -0.12 + 0.1 * k
        canvas.line([(x - 0.08, y + 0.12), (x + 0.1, y - 0.02)], 0.06, WHITE)
    canvas.line([(-0.7, 0.25), (-0.3, 0.2), (0.05, 0.3)], 0.1, canvas.accent, smooth=True)


def teddy_bear(canvas: ShapeCanvas) -> None:
    """A teddy bear: round ears, a pale muzzle and belly, arms and feet."""
    pale = tone(canvas.main, 1.5)
    for side in (-1, 1):
        canvas.circle(side * 0.36, -0.76, 0.2, canvas.main)
        canvas.circle(side * 0.36, -0.76, 0.11, pale)
        canvas.ellipse(side * 0.52, 0.15, 0.18, 0.34, tone(canvas.main, 0.88), side * -30)
        canvas.ellipse(side * 0.42, 0.76, 0.26, 0.2, tone(canvas.main, 0.88))
        canvas.circle(side * 0.5, 0.78, 0.11, pale)
    canvas.ellipse(0, 0.36, 0.48, 0.54, canvas.main)
    canvas.ellipse(0, 0.4, 0.3, 0.34, pale)
    canvas.ellipse(0, -0.42, 0.5, 0.44, canvas.main)
    canvas.ellipse(0, -0.28, 0.23, 0.18, pale)
    canvas.eyes(0, -0.5, 0.4, 0.07)
    canvas.ellipse(0, -0.35, 0.09, 0.06, BLACK)
    if canvas.chance(0.5):
        for side in (-1, 1):
            canvas.polygon([(0, 0.02), (side * 0.24, -0.1), (side * 0.24, 0.14)], canvas.accent)


def drum(canvas: ShapeCanvas) -> None:
    """A drum: a cylinder with zigzag cords and two sticks."""
    h = canvas.uniform(0.4, 0.55)
    canvas.rectangle((-0.78, -0.25, 0.78, h), canvas.main)
    canvas.ellipse(0, h, 0.78, 0.24, canvas.main)
    zigzag = [(-0.72 + 0.24 * k, -0.1 if k % 2 else h) for k in range(7)]
    canvas.line(zigzag, 0.06, tone(canvas.accent, 1.3))
    canvas.line(
        [(-0.78, h), (-0.4, h + 0.2), (0.4, h + 0.2), (0.78, h)],
        0.09,
        tone(canvas.accent, 0.8),
        smooth=True,
    )
    canvas.ellipse(0, -0.25, 0.82, 0.28, tone(canvas.accent, 0.8))
    canvas.ellipse(0, -0.27, 0.72, 0.22, (246, 238, 220))
    for side in (-1, 1):
        canvas.line([(side * 0.1, -0.3), (side * 0.7, -0.85)], 0.07, BROWN)
        canvas.circle(side * 0.1, -0.3, 0.08, BROWN)
