"""Curves: precision at each recall, of every split and category; beside metrics."""

from __future__ import annotations

from schemas.table import Column, Table

CURVES = Table(
    name="curves",
    version=1,
    doc="Curves: precision at each recall, of every split and category; beside metrics.",
    key=("split", "category", "recall"),
    columns=(
        Column("split", "string", "all, base, novel; all for a category's own curve"),
        Column("category", "string", "name; empty for the mean of a split's categories"),
        Column("recall", "float32", "0, 0.01, ... 1: share of the objects found"),
        Column("precision", "float64", "best share of right detections at this recall or above"),
        Column(
            "score",
            "float32",
            "lowest score counted there; null if it is never reached, and for splits",
            nullable=True,
        ),
    ),
)
