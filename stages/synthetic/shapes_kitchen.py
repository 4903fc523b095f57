"""Shapes of things to drink from and pour from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.synthetic.pen import BROWN, GLASS, METAL, WHITE, tone

if TYPE_CHECKING:
    from stages.synthetic.pen import Pen


def mug(pen: Pen) -> None:
    """A mug: a cylinder with a handle on one side."""
    h = pen.vary(0.62, 0.85)
    taper = pen.vary(0.0, 0.14)
    pen.ring(0.58, 0.05, 0.3, h * 0.5, 0.15, tone(pen.main, 0.82))
    pen.poly([(-0.72, -h), (0.58, -h), (0.58 - taper, h), (-0.72 + taper, h)], pen.main)
    pen.oval(-0.07, h, 0.65 - taper, 0.12, pen.main)
    pen.oval(-0.07, -h, 0.65, 0.15, tone(pen.main, 1.35))
    pen.oval(-0.07, -h + 0.02, 0.54, 0.1, tone(BROWN, 0.6))
    style = pen.rng.integers(3)
    if style == 0:
        pen.rect((-0.7, -0.12, 0.55, 0.16), pen.accent)
    elif style == 1:
        pen.disc(-0.07, 0.1, 0.24, pen.accent)
    pen.rect((-0.58, -h + 0.28, -0.46, h - 0.2), tone(pen.main, 1.4), 0.06)


def teapot(pen: Pen) -> None:
    """A teapot: round body, spout, handle and a lid with a knob."""
    dark = tone(pen.main, 0.8)
    ry = pen.vary(0.46, 0.6)
    pen.ring(-0.62, 0.12, 0.3, 0.32, 0.12, dark)
    pen.poly(
        [(0.4, 0.02), (0.4, 0.5), (0.75, 0.1), (0.98, -0.42), (0.8, -0.46), (0.62, -0.1)], dark
    )
    pen.oval(0, 0.2, 0.66, ry, pen.main)
    pen.rect((-0.34, 0.2 + ry - 0.1, 0.34, 0.24 + ry), dark, 0.05)
    pen.oval(0, 0.2 - ry + 0.06, 0.38, 0.15, tone(pen.main, 1.25))
    pen.line([(-0.38, 0.26 - ry), (0.38, 0.26 - ry)], 0.06, dark)
    pen.disc(0, 0.02 - ry, 0.11, pen.accent)
    if pen.chance(0.5):
        for x in (-0.3, 0.0, 0.3):
            pen.disc(x, 0.28, 0.1, pen.accent)
    pen.shine(-0.3, 0.0, 0.1, 0.18, 30)


def bottle(pen: Pen) -> None:
    """A bottle: shoulders, a neck, a cap and a label."""
    w, neck = pen.vary(0.3, 0.4), pen.vary(0.11, 0.15)
    pen.rect((-w, -0.25, w, 0.97), pen.main, 0.1)
    pen.poly([(-neck, -0.62), (neck, -0.62), (w, -0.2), (-w, -0.2)], pen.main)
    pen.rect((-neck, -0.85, neck, -0.55), pen.main)
    pen.rect((-neck - 0.03, -0.98, neck + 0.03, -0.8), pen.accent, 0.03)
    pen.rect((-w, 0.08, w, 0.62), WHITE)
    pen.rect((-w, 0.2, w, 0.32), pen.accent)
    pen.rect((-w + 0.07, -0.16, -w + 0.14, 0.9), tone(pen.main, 1.5), 0.03)


def wine_glass(pen: Pen) -> None:
    """A wine glass: a bowl of wine on a stem and a foot."""
    w, drop = pen.vary(0.42, 0.55), pen.vary(0.05, 0.2)
    rim = [(-w * 0.85, -0.95), (w * 0.85, -0.95)]
    pen.line([(0, 0.1), (0, 0.88)], 0.1, tone(GLASS, 0.9))
    pen.oval(0, 0.9, 0.42, 0.08, tone(GLASS, 0.9))
    pen.blob([*rim, (w, -0.4), (0.3, drop), (0, drop + 0.08), (-0.3, drop), (-w, -0.4)], GLASS)
    pen.blob(
        [(-w * 0.94, -0.5), (0, -0.53), (w * 0.94, -0.5), (w * 0.86, -0.26), (0.26, drop - 0.05),
         (0, drop + 0.01), (-0.26, drop - 0.05), (-w * 0.86, -0.26)],
        pen.main,
    )  # fmt: skip
    pen.line([(-w * 0.72, -0.82), (-w * 0.8, -0.3)], 0.06, WHITE)
    pen.line([(-w * 0.8, -0.95), (w * 0.8, -0.95)], 0.05, METAL)
