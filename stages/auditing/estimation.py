"""What share of labels is right, by a stratified random sample of them, with an interval.

Shapes: n judgements, H strata.

Sources: Särndal, Swensson and Wretman, "Model Assisted Survey Sampling" (1992), 5.6 to 5.8: the
ratio of two Horvitz-Thompson totals and its linearised variance. Dean and Pagano, "Evaluating
confidence interval methods for binomial proportions in clustered surveys" (Journal of Survey
Statistics and Methodology, 2015): Wilson's interval for a simple sample of that variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Judgements:
    """A stratified simple random sample without replacement, judged.

    Attributes:
        sizes: (H,) labels in each stratum, of which the sample was drawn.
        strata: (n,) the stratum of each judged label.
        right: (n,) whether it is right.
    """

    sizes: NDArray[np.int64]
    strata: NDArray[np.int64]
    right: NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A share with an interval.

    Attributes:
        share: None if nothing of the domain was judged.
        low: Lower end of the interval.
        high: Upper end.
        judged: Judgements in the domain.
        labels: Labels in it, estimated.
    """

    share: float | None
    low: float
    high: float
    judged: int
    labels: float

    def text(self) -> str:
        """In per cent.

        >>> Estimate(0.5, 0.41, 0.59, 100, 3000.0).text()
        '50.0 [41.0, 59.0]'
        """
        if self.share is None:
            return "not known"
        return f"{100 * self.share:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def share_right(
    judgements: Judgements, domain: NDArray[np.bool_] | None = None, confidence: float = 0.95
) -> Estimate:
    """The share of labels that are right, of all, or of those in a domain.

    Strata of which fewer than two were judged are joined with their neighbours.

    Args:
        judgements: Of all strata together.
        domain: (n,) which judged labels belong to the domain; None: all.
        confidence: Of the two-sided interval, below 1.
    """
    everywhere = np.ones(len(judgements.strata), dtype=bool)
    within = everywhere if domain is None else domain
    if not within.any():
        return Estimate(None, 0.0, 1.0, 0, 0.0)
    sizes, strata = joined(judgements.sizes, judgements.strata)
    drawn = np.bincount(strata, minlength=len(sizes))
    weights = (sizes / drawn)[strata]
    labels = float(weights[within].sum())
    share = float(weights[within & judgements.right].sum()) / labels
    residuals = np.where(within, judgements.right - share, 0.0)
    variance = _variance(sizes, drawn, strata, residuals) / labels**2
    judged = int(within.sum())
    involved = np.unique(strata[within])
    if (drawn[involved] == sizes[involved]).all():
        return Estimate(share, share, share, judged, labels)
    freedom = max(int(drawn[involved].sum()) - len(involved), 1)
    effective = _effective_size(share, variance, judged)
    low, high = _wilson(share, effective, student_quantile((1 + confidence) / 2, freedom))
    return Estimate(share, low, high, judged, labels)


def joined(
    sizes: NDArray[np.int64], strata: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sizes of strata, and the stratum of each judgement, with two judgements or all in each.

    A stratum with fewer is joined with those after it, the last with the one before it.
    """
    drawn = np.bincount(strata, minlength=len(sizes))
    group_of = np.zeros(len(sizes), dtype=np.int64)
    groups = 0
    labels = judged = 0
    for h, (size, number) in enumerate(zip(sizes.tolist(), drawn.tolist(), strict=True)):
        group_of[h] = groups
        labels, judged = labels + size, judged + number
        if judged >= min(2, labels):
            groups, labels, judged = groups + 1, 0, 0
    group_of = np.minimum(group_of, max(groups - 1, 0))
    return np.bincount(group_of, weights=sizes).astype(np.int64), group_of[strata]


def _variance(
    sizes: NDArray[np.int64],
    drawn: NDArray[np.int64],
    strata: NDArray[np.int64],
    values: NDArray[np.float64],
) -> float:
    """Variance of the Horvitz-Thompson total of values of a stratified sample."""
    means = np.bincount(strata, values, len(sizes)) / drawn
    squares = np.bincount(strata, (values - means[strata]) ** 2, len(sizes))
    within = squares / np.maximum(drawn - 1, 1)
    return float((sizes * (sizes - drawn) * within / drawn).sum())


def _effective_size(share: float, variance: float, judged: int) -> float:
    """Size of the simple sample with this variance; of one without variance, what was judged."""
    spread = share * (1 - share)
    return spread / variance if variance > 0 and spread > 0 else float(judged)


def _wilson(share: float, size: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval of a share of a sample."""
    square = quantile**2 / size
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t, to 0.001 from 10 degrees of freedom on and 0.05 from 4 on.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.5.
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, start=1)))
