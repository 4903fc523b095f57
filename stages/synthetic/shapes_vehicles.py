"""Shapes of things that move people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.pen import BLACK, BROWN, GLASS, GREY, METAL, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.pen import Pen

LAMP = (255, 222, 110)


def _wheel(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.disc(x, y, radius, BLACK)
    pen.disc(x, y, radius * 0.55, METAL)
    pen.disc(x, y, radius * 0.2, tone(GREY, 0.6))


def car(pen: Pen) -> None:
    """A car from the side: low body, cabin with two windows, two wheels."""
    roof = pen.vary(-0.55, -0.4)
    back = pen.vary(-0.72, -0.5)
    pen.poly([(back, -0.02), (back + 0.2, roof), (0.25, roof), (0.58, -0.02)], pen.main)
    pen.rect((-0.96, -0.08, 0.96, 0.36), pen.main, 0.16)
    pen.poly(
        [(back + 0.1, -0.04), (back + 0.25, roof + 0.1), (-0.14, roof + 0.1), (-0.14, -0.04)], GLASS
    )
    pen.poly([(-0.06, -0.04), (-0.06, roof + 0.1), (0.2, roof + 0.1), (0.44, -0.04)], GLASS)
    pen.rect((-0.94, 0.2, 0.94, 0.28), tone(pen.main, 0.75))
    pen.disc(0.87, 0.06, 0.08, LAMP)
    pen.line([(-0.1, 0.08), (0.02, 0.08)], 0.05, tone(pen.main, 0.6))
    for x in (-0.53, 0.53):
        _wheel(pen, x, 0.36, 0.23)


def bus(pen: Pen) -> None:
    """A bus from the side: a long high box with a row of windows."""
    h = pen.vary(0.5, 0.62)
    pen.rect((-0.98, -h, 0.98, 0.42), pen.main, 0.1)
    pen.rect((-0.97, 0.12, 0.97, 0.22), tone(pen.main, 1.6))
    count = int(pen.rng.integers(4, 6))
    step = 1.36 / count
    for i in range(count):
        x = -0.88 + i * step
        pen.rect((x, -h + 0.16, x + step * 0.82, -0.02), GLASS, 0.04)
    pen.rect((0.54, -h + 0.16, 0.76, 0.4), tone(GLASS, 0.85))
    pen.line([(0.65, -h + 0.18), (0.65, 0.38)], 0.03, tone(pen.main, 0.6))
    pen.rect((0.84, -h + 0.16, 0.97, 0.02), GLASS)
    pen.disc(0.9, 0.3, 0.06, LAMP)
    for x in (-0.55, 0.42):
        _wheel(pen, x, 0.44, 0.2)


def truck(pen: Pen) -> None:
    """A truck from the side: a big box and a cab."""
    h = pen.vary(0.55, 0.72)
    pen.rect((-0.97, 0.24, 0.95, 0.4), tone(GREY, 0.5))
    pen.rect((-0.98, -h, 0.36, 0.3), pen.accent, 0.03)
    for x in (-0.65, -0.3, 0.05):
        pen.line([(x, -h + 0.06), (x, 0.24)], 0.03, tone(pen.accent, 0.82))
    pen.poly([(0.42, 0.36), (0.42, -0.34), (0.74, -0.34), (0.94, 0.0), (0.97, 0.36)], pen.main)
    pen.poly([(0.54, -0.02), (0.54, -0.25), (0.7, -0.25), (0.84, -0.02)], GLASS)
    pen.disc(0.92, 0.18, 0.06, LAMP)
    for x in (-0.72, -0.28, 0.68):
        _wheel(pen, x, 0.42, 0.21)


def train(pen: Pen) -> None:
    """A steam locomotive: boiler, chimney, cab and big wheels."""
    dark = tone(pen.main, 0.7)
    pen.rect((-0.95, 0.12, 0.9, 0.36), tone(GREY, 0.45))
    pen.rect((-0.4, -0.32, 0.82, 0.2), pen.main, 0.12)
    for x in (-0.05, 0.3):
        pen.rect((x, -0.32, x + 0.08, 0.2), tone(pen.accent, 1.1))
    pen.rect((-0.92, -0.72, -0.36, 0.2), dark)
    pen.rect((-0.98, -0.84, -0.3, -0.7), pen.accent, 0.04)
    pen.rect((-0.8, -0.56, -0.5, -0.24), GLASS)
    pen.poly([(0.46, -0.3), (0.42, -0.84), (0.78, -0.84), (0.7, -0.3)], dark)
    pen.oval(0.1, -0.34, 0.14, 0.14, pen.accent)
    pen.poly([(0.78, 0.12), (0.82, 0.3), (1.0, 0.58), (0.72, 0.58)], dark)
    pen.disc(0.84, -0.08, 0.1, LAMP)
    for x, r in ((-0.66, 0.26), (-0.1, 0.26), (0.42, 0.2)):
        _wheel(pen, x, 0.62 - r, r)
    pen.line([(-0.66, 0.4), (0.42, 0.44)], 0.06, METAL)
    if pen.chance(0.4):
        for x, y, r in ((0.5, -0.95, 0.12), (0.28, -1.08, 0.16), (0.0, -1.15, 0.2)):
            pen.disc(x, y, r, (226, 226, 228))


def bicycle(pen: Pen) -> None:
    """A bicycle from the side: two open wheels and a frame."""
    r = pen.vary(0.38, 0.44)
    thin = 0.075
    for x in (-0.56, 0.56):
        pen.ring(x, 0.35, r, r, thin, BLACK)
        for step in range(4):
            a = math.radians(45 * step + 20)
            dx, dy = r * math.cos(a), r * math.sin(a)
            pen.line([(x - dx, 0.35 - dy), (x + dx, 0.35 + dy)], 0.02, GREY)
    crank, seat, head = (-0.06, 0.38), (-0.24, -0.2), (0.38, -0.22)
    for path in ([(-0.56, 0.35), crank, head, seat, (-0.56, 0.35)], [crank, (-0.28, -0.36)],
                 [(0.56, 0.35), (0.34, -0.42)]):  # fmt: skip
        pen.line(path, 0.1, pen.main)
    pen.line([(-0.44, -0.4), (-0.14, -0.4)], 0.12, BLACK)
    pen.line([(0.34, -0.46), (0.5, -0.5), (0.62, -0.42)], 0.08, BLACK)
    pen.disc(*crank, 0.11, tone(GREY, 0.7))
    if pen.chance(0.3):
        pen.rect((0.42, -0.36, 0.78, -0.08), BROWN, 0.04)


def airplane(pen: Pen) -> None:
    """An airplane from the side: a tube with a tail fin, a wing and small windows."""
    dark = tone(pen.main, 0.72)
    body = tone(pen.main, 1.55) if pen.chance(0.5) else pen.main
    ry = pen.vary(0.17, 0.23)
    pen.poly([(-0.88, -0.05), (-0.98, -0.6), (-0.76, -0.6), (-0.48, -0.08)], dark)
    pen.poly([(-0.02, -0.1), (-0.3, -0.62), (-0.14, -0.62), (0.32, -0.1)], tone(dark, 0.85))
    pen.blob(
        [
            (-0.98, -0.08),
            (-0.5, -ry),
            (0.5, -ry),
            (0.9, -0.06),
            (0.98, 0.05),
            (0.85, 0.14),
            (0.4, ry),
            (-0.4, ry),
        ],
        body,
    )
    pen.poly([(0.28, 0.06), (-0.1, 0.06), (-0.52, 0.72), (-0.32, 0.72)], dark)
    pen.poly([(-0.72, 0.0), (-0.98, 0.22), (-0.82, 0.22), (-0.5, 0.02)], dark)
    for i in range(6):
        pen.disc(-0.45 + 0.19 * i, -0.06, 0.05, (70, 110, 160))
    pen.poly([(0.74, -0.12), (0.88, -0.06), (0.92, 0.0), (0.74, 0.0)], (70, 110, 160))


def sailboat(pen: Pen) -> None:
    """A sailboat: a hull, a mast and two sails."""
    pen.line([(0, -0.95), (0, 0.5)], 0.07, BROWN)
    pen.poly(
        [(0.08, -0.9), (0.08, 0.34), (pen.vary(0.66, 0.85), 0.34)],
        pen.accent if pen.chance(0.5) else WHITE,
    )
    pen.poly([(-0.08, -0.72), (-0.08, 0.34), (pen.vary(-0.7, -0.5), 0.34)], tone(pen.main, 1.45))
    pen.poly([(-0.92, 0.46), (0.96, 0.46), (0.62, 0.92), (-0.66, 0.92)], pen.main)
    pen.rect((-0.88, 0.52, 0.9, 0.6), tone(pen.main, 0.72))
    if pen.chance(0.5):
        pen.poly([(0, -0.98), (0.3, -0.9), (0, -0.8)], (208, 50, 50))


def rocket(pen: Pen) -> None:
    """A rocket: pointed nose, round window, fins and a flame."""
    w = pen.vary(0.28, 0.36)
    hull = WHITE if pen.chance(0.5) else tone(pen.main, 1.5)
    pen.poly([(-0.18, 0.5), (0.18, 0.5), (0.0, 1.0)], (250, 150, 40))
    pen.poly([(-0.1, 0.5), (0.1, 0.5), (0.0, 0.8)], (255, 226, 90))
    for side in (-1, 1):
        pen.poly(
            [(side * w * 0.8, 0.1), (side * 0.68, 0.5), (side * 0.62, 0.72), (side * 0.2, 0.5)],
            pen.main,
        )
    pen.blob(
        [
            (0, -0.98),
            (w * 0.75, -0.5),
            (w, 0.0),
            (w * 0.75, 0.5),
            (0, 0.55),
            (-w * 0.75, 0.5),
            (-w, 0.0),
            (-w * 0.75, -0.5),
        ],
        hull,
    )
    pen.blob([(0, -0.98), (w * 0.72, -0.52), (0, -0.46), (-w * 0.72, -0.52)], pen.main)
    pen.disc(0, -0.14, 0.17, pen.main)
    pen.disc(0, -0.14, 0.11, (90, 150, 200))
    pen.rect((-w * 0.7, 0.42, w * 0.7, 0.54), tone(pen.main, 0.75))
