"""A list of every figure that a test draws."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.analysis.report import plots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that the test draws; pictures are still written."""
    drawn_figures: list[Figure] = []
    canvas = plots.canvas

    @contextmanager
    def spy(*args: Any) -> Iterator[Figure]:
        with canvas(*args) as figure:
            drawn_figures.append(figure)
            yield figure

    monkeypatch.setattr(plots, "canvas", spy)
    return drawn_figures
