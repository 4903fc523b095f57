"""Metrics: one number a row, with what it was measured over."""

from __future__ import annotations

from schemas.table import Column, Table

METRICS = Table(
    name="metrics",
    version=2,
    doc="Metrics: one number a row, with what it was measured over.",
    key=(
        "metric",
        "split",
        "category",
    ),
    columns=(
        Column("metric", "string", "top1, top5, AP, AP50, AR100, ..."),
        Column("split", "string", "all, base, novel"),
        Column(
            "category",
            "string",
            "name, for a per-category number; empty for the whole split",
        ),
        Column("value", "float64", "the number; a share in [0, 1] for all metrics here"),
        Column("count", "int64", "objects it was measured over"),
    ),
)
