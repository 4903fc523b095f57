"""Means and deviations over several runs, and whether an expectation is met.

Numbers are paired: run k of one row and run k of another used the same images.

Shapes: n runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.recipes.table_spec import Expectation


@dataclass(frozen=True)
class Summary:
    """Mean and standard deviation of n numbers: of a sample, so 0 for a single number."""

    mean: float
    deviation: float
    count: int

    @property
    def span(self) -> tuple[float, float]:
        """Mean minus and mean plus the deviation."""
        return self.mean - self.deviation, self.mean + self.deviation


def summary(values: Sequence[float]) -> Summary:
    """Mean and deviation of at least one number.

    >>> summary([1.0, 2.0, 3.0])
    Summary(mean=2.0, deviation=1.0, count=3)
    """
    return Summary(fmean(values), stdev(values) if len(values) > 1 else 0.0, len(values))


@dataclass(frozen=True)
class Verdict:
    """Whether an expectation is met.

    Attributes:
        met: The difference of the means has the expected sign, and is large (for `same_as`:
            small) enough.
        difference: Of the pairs: the row minus the other row.
        apart: Whether the intervals mean ± deviation of both rows do not overlap.
        agreeing: Number of pairs whose difference has the expected sign.
    """

    met: bool
    difference: Summary
    apart: bool
    agreeing: int


def judge(expected: Expectation, values: Sequence[float], other: Sequence[float]) -> Verdict:
    """Whether `values` (n,) of a row and `other` (n,) of another, in points, are as expected."""
    pairs = [a - b for a, b in zip(values, other, strict=True)]
    difference = summary(pairs)
    low, high = sorted((summary(values), summary(other)), key=lambda row: row.mean)
    apart = low.span[1] < high.span[0]
    if expected.kind == "same_as":
        met = abs(difference.mean) <= expected.by
        return Verdict(met, difference, apart, sum(abs(pair) <= expected.by for pair in pairs))
    sign = 1 if expected.kind == "above" else -1
    lead = sign * difference.mean
    met = lead > 0 and lead >= expected.by
    return Verdict(met, difference, apart, sum(sign * pair > 0 for pair in pairs))
