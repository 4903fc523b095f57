"""From the numbers of several runs: means, deviations, and whether what was expected is so.

Numbers are paired: run k of one row and run k of another saw the same pictures.

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
    """Mean and deviation of n numbers; the deviation is that of a sample, 0 for one number."""

    mean: float
    deviation: float
    count: int

    @property
    def span(self) -> tuple[float, float]:
        """Mean minus and plus a deviation."""
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
        met: The difference of the means is on the side expected, and as large (for `same_as`: as
            small) as asked.
        difference: Of the pairs, mine minus the other's.
        apart: Whether mean ± deviation of one ends before that of the other begins.
        agreeing: Pairs whose difference has the sign of the direction expected.
    """

    met: bool
    difference: Summary
    apart: bool
    agreeing: int


def judge(expected: Expectation, mine: Sequence[float], other: Sequence[float]) -> Verdict:
    """What the numbers of two rows, (n,) each and in points, say of what was expected."""
    pairs = [a - b for a, b in zip(mine, other, strict=True)]
    difference = summary(pairs)
    low, high = sorted((summary(mine), summary(other)), key=lambda one: one.mean)
    apart = low.span[1] < high.span[0]
    if expected.kind == "same_as":
        met = abs(difference.mean) <= expected.by
        return Verdict(met, difference, apart, sum(abs(pair) <= expected.by for pair in pairs))
    sign = 1 if expected.kind == "above" else -1
    ahead = sign * difference.mean
    met = ahead > 0 and ahead >= expected.by
    return Verdict(met, difference, apart, sum(sign * pair > 0 for pair in pairs))
