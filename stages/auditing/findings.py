"""What an audit says: the precision of all labels, above thresholds, of strata and of concepts.

Shapes: n judged labels, H strata.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stages.auditing.estimation import Estimate, Judgements, share_right
from stages.auditing.verdicts import keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.auditing.verdicts import Label

THRESHOLDS: Final = (*(0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99),)
ENOUGH: Final = 20  # judgements, for an interval that says something
HALF_WIDTH: Final = 0.03  # of the interval that more judgements would give


@dataclass(frozen=True)
class Audit:
    """A sample with what was decided of it."""

    judgements: Judgements
    probabilities: NDArray[np.float64]
    concept_ids: NDArray[np.int64]

    @classmethod
    def of(cls, sample: pa.Table, right: Mapping[Label, bool]) -> Audit:
        """The decided rows of `audits`.

        Args:
            sample: All rows of one audit.
            right: Whether a label is right, of those that were decided.
        """
        keys = keys_of(sample)
        rows = [row for row, key in enumerate(keys) if key in right]
        strata = _array(sample, "stratum").astype(np.int64)
        sizes = np.zeros(int(strata.max(initial=-1)) + 1, np.int64)
        sizes[strata] = _array(sample, "stratum_labels")
        judgements = Judgements(
            sizes, strata[rows], np.array([right[keys[row]] for row in rows], dtype=bool)
        )
        probabilities = _array(sample, "probability").astype(np.float64)
        return cls(judgements, probabilities[rows], _array(sample, "concept_id")[rows])

    def precision(self) -> Estimate:
        """Of all labels."""
        return share_right(self.judgements)

    def above(self, threshold: float, confidence: float = 0.95) -> Estimate:
        """Of the labels whose probability is above a threshold."""
        within = self.probabilities > threshold
        return share_right(self.judgements, within, confidence)

    def of_stratum(self, stratum: int) -> Estimate:
        """Of the labels of one stratum."""
        return share_right(self.judgements, self.judgements.strata == stratum)

    def of_concepts(self) -> dict[int, Estimate]:
        """Of each concept with `ENOUGH` judgements, the most judged first."""
        ids, counts = np.unique(self.concept_ids, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {
            int(ids[i]): share_right(self.judgements, self.concept_ids == ids[i])
            for i in order
            if counts[i] >= ENOUGH
        }

    def threshold_for(self, target: float) -> float | None:
        """The lowest of `THRESHOLDS` above which precision is at least `target`, at 95 %.

        They are tested from the highest with `ENOUGH` judgements down, each at 95 %, to the first
        that fails; so the chance that any of those passed is below the target is 5 % together.

        Source: Maurer, Hothorn and Lehmacher (1995), tests in an order fixed before.
        """
        found = None
        for threshold in sorted(THRESHOLDS, reverse=True):
            estimate = self.above(threshold, confidence=0.9)  # two-sided: its lower end is at 95 %
            if estimate.judged < ENOUGH:
                continue
            if estimate.low < target:
                break
            found = threshold
        return found

    def more_for(self, half_width: float = HALF_WIDTH) -> int:
        """About how many more judgements give an interval of so much to each side; 0 if none."""
        estimate = self.precision()
        width = (estimate.high - estimate.low) / 2
        wanted = math.ceil(estimate.judged * (width / half_width) ** 2)
        return max(wanted - estimate.judged, 0)


def _array(rows: pa.Table, column: str) -> NDArray[Any]:
    return np.asarray(rows[column].to_numpy())
