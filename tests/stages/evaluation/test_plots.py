from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from stages.evaluation import plots
from stages.evaluation.calibration import ScoredPredictions, split_bins
from stages.evaluation.plots import _spread_labels, plot_calibration, plot_curves
from tests.stages.evaluation.records import VOCABULARY

if TYPE_CHECKING:
    from pathlib import Path

    from stages.evaluation.calibration import Bins

pytestmark = pytest.mark.slow


def random_bins(seed: int = 0) -> dict[str, Bins]:
    rng = np.random.default_rng(seed)
    score, correct = rng.uniform(size=50), rng.uniform(size=50) < 0.5
    predictions = ScoredPredictions(score, correct, np.zeros(50, np.int64))
    return split_bins(predictions, VOCABULARY.splits)


def curve(height: float) -> np.ndarray:
    return np.linspace(1.0, height, 101)


def test_equal_numbers_give_equal_bytes_whatever_the_settings_of_the_user(tmp_path: Path) -> None:
    splits = {"all": curve(0.2), "base": curve(0.4)}
    for name, size in (("first", 10.0), ("second", 30.0)):
        with mpl.rc_context({"font.size": size}):
            plot_curves(tmp_path / f"{name}-curves", splits, [splits["all"]])
            bins = {"base": random_bins()["base"]}  # without "all", it is the histogram too
            plot_calibration(tmp_path / f"{name}-calibration", bins, "score")
    for kind in ("curves", "calibration"):
        first, second = (tmp_path / f"{name}-{kind}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
        with Image.open(first) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 700


def test_single_categories_are_plotted_unless_they_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "_MAX_CURVES", 2)
    splits = {f"split {n}": curve(n / 9) for n in range(9)}  # more than there are colours
    for count in (0, 2, 3):
        plot_curves(tmp_path / f"{count}", splits, [curve(0.5)] * count)
    nothing, some, too_many = ((tmp_path / f"{n}").read_bytes() for n in (0, 2, 3))
    assert too_many == nothing
    assert some != nothing


@pytest.mark.parametrize("heights", [[0.5], [0.0, 0.0, 0.0], [1.0, 1.0, 0.99], [0.1, 0.5, 0.52]])
def test_labels_keep_a_distance_stay_inside_and_keep_their_order(heights: list[float]) -> None:
    ends = sorted((height, f"split {n}", "black") for n, height in enumerate(heights))
    placed = list(_spread_labels(ends))
    assert [end for _, end in placed] == ends
    spread = [height for height, _ in placed]
    assert all(b - a >= 0.075 - 1e-9 for a, b in pairwise(spread))
    assert min(spread) >= 0.0
    assert max(spread) <= 1.0 + 1e-9


def test_labels_with_enough_room_stay_at_the_ends_of_their_lines() -> None:
    ends = [(0.2, "novel", "black"), (0.6, "base", "black")]
    assert [height for height, _ in _spread_labels(ends)] == [0.2, 0.6]
