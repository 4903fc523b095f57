"""Shapes of things that move people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stages.synthetic.shape_canvas import BLACK, BROWN, GLASS, GREY, METAL, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.shape_canvas import ShapeCanvas

LAMP = (255, 222, 110)


def _draw_wheel(canvas: ShapeCanvas, x: float, y: float, radius: float) -> None:
    canvas.circle(x, y, radius, BLACK)
    canvas.circle(x, y, radius * 0.55, METAL)
    canvas.circle(x, y, radius * 0.2, tone(GREY, 0.6))


def car(canvas: ShapeCanvas) -> None:
    """A car from the side: low body, cabin with two windows, two wheels."""
    roof = canvas.uniform(-0.55, -0.4)
    back = canvas.uniform(-0.72, -0.5)
    canvas.polygon([(back, -0.02), (back + 0.2, roof), (0.25, roof), (0.58, -0.02)], canvas.main)
    canvas.rectangle((-0.96, -0.08, 0.96, 0.36), canvas.main, 0.16)
    canvas.polygon(
        [(back + 0.1, -0.04), (back + 0.25, roof + 0.1), (-0.14, roof + 0.1), (-0.14, -0.04)], GLASS
    )
    canvas.polygon([(-0.06, -0.04), (-0.06, roof + 0.1), (0.2, roof + 0.1), (0.44, -0.04)], GLASS)
    canvas.rectangle((-0.94, 0.2, 0.94, 0.28), tone(canvas.main, 0.75))
    canvas.circle(0.87, 0.06, 0.08, LAMP)
    canvas.line([(-0.1, 0.08), (0.02, 0.08)], 0.05, tone(canvas.main, 0.6))
    for x in (-0.53, 0.53):
        _draw_wheel(canvas, x, 0.36, 0.23)


def bus(canvas: ShapeCanvas) -> None:
    """A bus from the side: a long high box with a row of windows."""
    h = canvas.uniform(0.5, 0.62)
    canvas.rectangle((-0.98, -h, 0.98, 0.42), canvas.main, 0.1)
    canvas.rectangle((-0.97, 0.12, 0.97, 0.22), tone(canvas.main, 1.6))
    count = int(canvas.rng.integers(4, 6))
    step = 1.36 / count
    for i in range(count):
        x = -0.88 + i * step
        canvas.rectangle((x, -h + 0.16, x + step * 0.82, -0.02), GLASS, 0.04)
    canvas.rectangle((0.54, -h + 0.16, 0.76, 0.4), tone(GLASS, 0.85))
    canvas.line([(0.65, -h + 0.18), (0.65, 0.38)], 0.03, tone(canvas.main, 0.6))
    canvas.rectangle((0.84, -h + 0.16, 0.97, 0.02), GLASS)
    canvas.circle(0.9, 0.3, 0.06, LAMP)
    for x in (-0.55, 0.42):
        _draw_wheel(canvas, x, 0.44, 0.2)


def truck(canvas: ShapeCanvas) -> None:
    """A truck from the side: a big box and a cab."""
    h = canvas.uniform(0.55, 0.72)
    canvas.rectangle((-0.97, 0.24, 0.95, 0.4), tone(GREY, 0.5))
    canvas.rectangle((-0.98, -h, 0.36, 0.3), canvas.accent, 0.03)
    for x in (-0.65, -0.3, 0.05):
        canvas.line([(x, -h + 0.06), (x, 0.24)], 0.03, tone(canvas.accent, 0.82))
    canvas.polygon(
        [(0.42, 0.36), (0.42, -0.34), (0.74, -0.34), (0.94, 0.0), (0.97, 0.36)], canvas.main
    )
    canvas.polygon([(0.54, -0.02), (0.54, -0.25), (0.7, -0.25), (0.84, -0.02)], GLASS)
    canvas.circle(0.92, 0.18, 0.06, LAMP)
    for x in (-0.72, -0.28, 0.68):
        _draw_wheel(canvas, x, 0.42, 0.21)


def train(canvas: ShapeCanvas) -> None:
    """A steam locomotive: boiler, chimney, cab and big wheels."""
    dark = tone(canvas.main, 0.7)
    canvas.rectangle((-0.95, 0.12, 0.9, 0.36), tone(GREY, 0.45))
    canvas.rectangle((-0.4, -0.32, 0.82, 0.2), canvas.main, 0.12)
    for x in (-0.05, 0.3):
        canvas.rectangle((x, -0.32, x + 0.08, 0.2), tone(canvas.accent, 1.1))
    canvas.rectangle((-0.92, -0.72, -0.36, 0.2), dark)
    canvas.rectangle((-0.98, -0.84, -0.3, -0.7), canvas.accent, 0.04)
    canvas.rectangle((-0.8, -0.56, -0.5, -0.24), GLASS)
    canvas.polygon([(0.46, -0.3), (0.42, -0.84), (0.78, -0.84), (0.7, -0.3)], dark)
    canvas.ellipse(0.1, -0.34, 0.14, 0.14, canvas.accent)
    canvas.polygon([(0.78, 0.12), (0.82, 0.3), (1.0, 0.58), (0.72, 0.58)], dark)
    canvas.circle(0.84, -0.08, 0.1, LAMP)
    for x, r in ((-0.66, 0.26), (-0.1, 0.26), (0.42, 0.2)):
        _draw_wheel(canvas, x, 0.62 - r, r)
    canvas.line([(-0.66, 0.4), (0.42, 0.44)], 0.06, METAL)
    if canvas.chance(0.4):
        for x, y, r in ((0.5, -0.95, 0.12), (0.28, -1.08, 0.16), (0.0, -1.15, 0.2)):
            canvas.circle(x, y, r, (226, 226, 228))


def bicycle(canvas: ShapeCanvas) -> None:
    """A bicycle from the side: two open wheels and a frame."""
    r = canvas.uniform(0.38, 0.44)
    thin = 0.075
    for x in (-0.56, 0.56):
        canvas.ring(x, 0.35, r, r, thin, BLACK)
        for step in range(4):
            a = math.radians(45 * step + 20)
            dx, dy = r * math.cos(a), r * math.sin(a)
            canvas.line([(x - dx, 0.35 - dy), (x + dx, 0.35 + dy)], 0.02, GREY)
    crank, seat, head = (-0.06, 0.38), (-0.24, -0.2), (0.38, -0.22)
    for path in ([(-0.56, 0.35), crank, head, seat, (-0.56, 0.35)], [crank, (-0.28, -0.36)],
                 [(0.56, 0.35), (0.34, -0.42)]):  # fmt: skip
        canvas.line(path, 0.1, canvas.main)
    canvas.line([(-0.44, -0.4), (-0.14, -0.4)], 0.12, BLACK)
    canvas.line([(0.34, -0.46), (0.5, -0.5), (0.62, -0.42)], 0.08, BLACK)
    canvas.circle(*crank, 0.11, tone(GREY, 0.7))
    if canvas.chance(0.3):
        canvas.rectangle((0.42, -0.36, 0.78, -0.08), BROWN, 0.04)


def airplane(canvas: ShapeCanvas) -> None:
    """An airplane from the side: a tube with a tail fin, a wing and small windows."""
    dark = tone(canvas.main, 0.72)
    body = tone(canvas.main, 1.55) if canvas.chance(0.5) else canvas.main
    ry = canvas.uniform(0.17, 0.23)
    canvas.polygon([(-0.88, -0.05), (-0.98, -0.6), (-0.76, -0.6), (-0.48, -0.08)], dark)
    canvas.polygon([(-0.02, -0.1), (-0.3, -0.62), (-0.14, -0.62), (0.32, -0.1)], tone(dark, 0.85))
    canvas.closed_curve(
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
    canvas.polygon([(0.28, 0.06), (-0.1, 0.06), (-0.52, 0.72), (-0.32, 0.72)], dark)
    canvas.polygon([(-0.72, 0.0), (-0.98, 0.22), (-0.82, 0.22), (-0.5, 0.02)], dark)
    for i in range(6):
        canvas.circle(-0.45 + 0.19 * i, -0.06, 0.05, (70, 110, 160))
    canvas.polygon([(0.74, -0.12), (0.88, -0.06), (0.92, 0.0), (0.74, 0.0)], (70, 110, 160))


def sailboat(canvas: ShapeCanvas) -> None:
    """A sailboat: a hull, a mast and two sails."""
    canvas.line([(0, -0.95), (0, 0.5)], 0.07, BROWN)
    canvas.polygon(
        [(0.08, -0.9), (0.08, 0.34), (canvas.uniform(0.66, 0.85), 0.34)],
        canvas.accent if canvas.chance(0.5) else WHITE,
    )
    canvas.polygon(
        [(-0.08, -0.72), (-0.08, 0.34), (canvas.uniform(-0.7, -0.5), 0.34)], tone(canvas.main, 1.45)
    )
    canvas.polygon([(-0.92, 0.46), (0.96, 0.46), (0.62, 0.92), (-0.66, 0.92)], canvas.main)
    canvas.rectangle((-0.88, 0.52, 0.9, 0.6), tone(canvas.main, 0.72))
    if canvas.chance(0.5):
        canvas.polygon([(0, -0.98), (0.3, -0.9), (0, -0.8)], (208, 50, 50))


def rocket(canvas: ShapeCanvas) -> None:
    """A rocket: pointed nose, round window, fins and a flame."""
    w = canvas.uniform(0.28, 0.36)
    hull = WHITE if canvas.chance(0.5) else tone(canvas.main, 1.5)
    canvas.polygon([(-0.18, 0.5), (0.18, 0.5), (0.0, 1.0)], (250, 150, 40))
    canvas.polygon([(-0.1, 0.5), (0.1, 0.5), (0.0, 0.8)], (255, 226, 90))
    for side in (-1, 1):
        canvas.polygon(
            [(side * w * 0.8, 0.1), (side * 0.68, 0.5), (side * 0.62, 0.72), (side * 0.2, 0.5)],
            canvas.main,
        )
    canvas.closed_curve(
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
    canvas.closed_curve(
        [(0, -0.98), (w * 0.72, -0.52), (0, -0.46), (-w * 0.72, -0.52)], canvas.main
    )
    canvas.circle(0, -0.14, 0.17, canvas.main)
    canvas.circle(0, -0.14, 0.11, (90, 150, 200))
    canvas.rectangle((-w * 0.7, 0.42, w * 0.7, 0.54), tone(canvas.main, 0.75))
