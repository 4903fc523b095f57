"""The scores that stand beside the address of an evaluation."""

from __future__ import annotations

from stages.evaluation.headline import headline, score_lines
from stages.evaluation.metrics import Metric

METRICS = [
    Metric("AP50", "novel", "", 0.25, 4),
    Metric("top5", "all", "", 0.75, 8),
    Metric("top1", "all", "", 0.5, 8),
    Metric("top1", "all", "cat", 0.9, 2),
    Metric("top1_macro", "all", "", 0.6, 8),
    Metric("top1", "base", "", 2 / 3, 4),
]


def test_the_scores_are_of_whole_splits_and_all_comes_first() -> None:
    scores = headline(METRICS)
    assert scores == {
        "all": {"top1": 0.5, "top5": 0.75},
        "base": {"top1": 0.666667},
        "novel": {"AP50": 0.25},
    }
    assert list(scores) == ["all", "base", "novel"]
    assert score_lines(scores) == ["top-1 50.0, top-5 75.0", "base: top-1 66.7", "novel: AP50 25.0"]


def test_without_metrics_there_is_nothing_to_say() -> None:
    assert score_lines(headline([])) == []
