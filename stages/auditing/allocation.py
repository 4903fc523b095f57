"""How many of each stratum are drawn: more where labels are many and their rightness uncertain.

Shapes: H strata.

Source: Wright, "The equivalence of Neyman optimum allocation for sampling and equal proportions for
apportioning the U.S. House of Representatives" (The American Statistician, 2012): one at a time, to
the stratum whose standard error falls most. So a larger sample has as many or more of each stratum,
and contains a smaller one.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST: Final = 2  # of each stratum: one judgement has no variance


def allocate(
    sizes: NDArray[np.int64], deviations: NDArray[np.float64], total: int
) -> NDArray[np.int64]:
    """Numbers to draw, (H,): at least `FEWEST` of each, or all of it, and `total` together.

    Args:
        sizes: (H,) labels of each stratum, at least 1.
        deviations: (H,) expected standard deviation of a judgement in each, above 0.
        total: At least what every stratum needs; all labels are drawn if there are fewer.

    Raises:
        ValueError: If `total` is less than every stratum needs.
    """
    drawn = np.minimum(sizes, FEWEST)
    left = min(total, int(sizes.sum())) - int(drawn.sum())
    if left < 0:
        raise ValueError(f"{len(sizes)} strata need {int(drawn.sum())} labels, not {total}")
    weights = sizes * deviations
    queue = [(-_gain(weights[h], drawn[h]), h) for h in range(len(sizes)) if drawn[h] < sizes[h]]
    heapq.heapify(queue)
    for _ in range(left):
        _, h = queue[0]
        drawn[h] += 1
        if drawn[h] < sizes[h]:
            heapq.heapreplace(queue, (-_gain(weights[h], drawn[h]), h))
        else:
            heapq.heappop(queue)
    return drawn


def _gain(weight: float, drawn: int) -> float:
    """What the next one of a stratum is worth: the root of what its variance falls by."""
    return float(weight) / math.sqrt(drawn * (drawn + 1))
