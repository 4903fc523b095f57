"""The few scores that people ask for first: top-1, top-5, AP and AP50 of each split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stages.evaluation.metrics import Metric

_NAMES: Final = {"top1": "top-1", "top5": "top-5", "AP": "AP", "AP50": "AP50"}
_ALL: Final = "all"


def headline(metrics: Iterable[Metric]) -> dict[str, dict[str, float]]:
    """The scores by split, for the notes: of all objects first; shares in [0, 1]."""
    whole = {
        (one.split, one.metric): round(one.value, 6)
        for one in metrics
        if one.metric in _NAMES and not one.category
    }
    splits = sorted({split for split, _ in whole}, key=lambda split: (split != _ALL, split))
    return {
        split: {name: whole[split, name] for name in _NAMES if (split, name) in whole}
        for split in splits
    }


def score_lines(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The scores in per cent, a line for each split.

    >>> score_lines({"all": {"top1": 0.5, "AP50": 0.25}, "novel": {"top1": 0.125}})
    ['top-1 50.0, AP50 25.0', 'novel: top-1 12.5']
    """
    lines = []
    for split, values in scores.items():
        numbers = ", ".join(f"{_NAMES[name]} {100 * value:.1f}" for name, value in values.items())
        lines.append(numbers if split == _ALL else f"{split}: {numbers}")
    return lines
