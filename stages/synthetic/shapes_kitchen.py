"""Shapes of things to drink from and pour from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.synthetic.shape_canvas import BROWN, GLASS, METAL, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.shape_canvas import ShapeCanvas


def mug(canvas: ShapeCanvas) -> None:
    """A mug: a cylinder with a handle on one side."""
    h = canvas.uniform(0.62, 0.85)
    taper = canvas.uniform(0.0, 0.14)
    canvas.ring(0.58, 0.05, 0.3, h * 0.5, 0.15, tone(canvas.main, 0.82))
    canvas.polygon([(-0.72, -h), (0.58, -h), (0.58 - taper, h), (-0.72 + taper, h)], canvas.main)
    canvas.ellipse(-0.07, h, 0.65 - taper, 0.12, canvas.main)
    canvas.ellipse(-0.07, -h, 0.65, 0.15, tone(canvas.main, 1.35))
    canvas.ellipse(-0.07, -h + 0.02, 0.54, 0.1, tone(BROWN, 0.6))
    style = canvas.rng.integers(3)
    if style == 0:
        canvas.rectangle((-0.7, -0.12, 0.55, 0.16), canvas.accent)
    elif style == 1:
        canvas.circle(-0.07, 0.1, 0.24, canvas.accent)
    canvas.rectangle((-0.58, -h + 0.28, -0.46, h - 0.2), tone(canvas.main, 1.4), 0.06)


def teapot(canvas: ShapeCanvas) -> None:
    """A teapot: round body, spout, handle and a lid with a knob."""
    dark = tone(canvas.main, 0.8)
    ry = canvas.uniform(0.46, 0.6)
    canvas.ring(-0.62, 0.12, 0.3, 0.32, 0.12, dark)
    canvas.polygon(
        [(0.4, 0.02), (0.4, 0.5), (0.75, 0.1), (0.98, -0.42), (0.8, -0.46), (0.62, -0.1)], dark
    )
    canvas.ellipse(0, 0.2, 0.66, ry, canvas.main)
    canvas.rectangle((-0.34, 0.2 + ry - 0.1, 0.34, 0.24 + ry), dark, 0.05)
    canvas.ellipse(0, 0.2 - ry + 0.06, 0.38, 0.15, tone(canvas.main, 1.25))
    canvas.line([(-0.38, 0.26 - ry), (0.38, 0.26 - ry)], 0.06, dark)
    canvas.circle(0, 0.02 - ry, 0.11, canvas.accent)
    if canvas.chance(0.5):
        for x in (-0.3, 0.0, 0.3):
            canvas.circle(x, 0.28, 0.1, canvas.accent)
    canvas.highlight(-0.3, 0.0, 0.1, 0.18, 30)


def bottle(canvas: ShapeCanvas) -> None:
    """A bottle: shoulders, a neck, a cap and a label."""
    w, neck = canvas.uniform(0.3, 0.4), canvas.uniform(0.11, 0.15)
    canvas.rectangle((-w, -0.25, w, 0.97), canvas.main, 0.1)
    canvas.polygon([(-neck, -0.62), (neck, -0.62), (w, -0.2), (-w, -0.2)], canvas.main)
    canvas.rectangle((-neck, -0.85, neck, -0.55), canvas.main)
    canvas.rectangle((-neck - 0.03, -0.98, neck + 0.03, -0.8), canvas.accent, 0.03)
    canvas.rectangle((-w, 0.08, w, 0.62), WHITE)
    canvas.rectangle((-w, 0.2, w, 0.32), canvas.accent)
    canvas.rectangle((-w + 0.07, -0.16, -w + 0.14, 0.9), tone(canvas.main, 1.5), 0.03)


def wine_glass(canvas: ShapeCanvas) -> None:
    """A wine glass: a bowl of wine on a stem and a foot."""
    w, drop = canvas.uniform(0.42, 0.55), canvas.uniform(0.05, 0.2)
    rim = [(-w * 0.85, -0.95), (w * 0.85, -0.95)]
    canvas.line([(0, 0.1), (0, 0.88)], 0.1, tone(GLASS, 0.9))
    canvas.ellipse(0, 0.9, 0.42, 0.08, tone(GLASS, 0.9))
    canvas.closed_curve(
        [*rim, (w, -0.4), (0.3, drop), (0, drop + 0.08), (-0.3, drop), (-w, -0.4)], GLASS
    )
    canvas.closed_curve(
        [(-w * 0.94, -0.5), (0, -0.53), (w * 0.94, -0.5), (w * 0.86, -0.26), (0.26, drop - 0.05),
         (0, drop + 0.01), (-0.26, drop - 0.05), (-w * 0.86, -0.26)],
        canvas.main,
    )  # fmt: skip
    canvas.line([(-w * 0.72, -0.82), (-w * 0.8, -0.3)], 0.06, WHITE)
    canvas.line([(-w * 0.8, -0.95), (w * 0.8, -0.95)], 0.05, METAL)
