"""Signals, their weights, and the suspicion that they add up to.

Each signal is in [0, 1], 1 being the most suspicious, or NaN where it is not known. `swapped` is
the weighted mean of the signals of the name that are known, `misplaced` that of those of the box.
A suspicion is six tenths of the first and four tenths of the second; the larger of the two is the
fault of a label that is kept.

Weights were chosen on synthetic scenes of seed 77, which no measurement reports. They begin with
what `python -m benchmarks.suspicions --choose` prints, a logistic regression with no weight below
0. What it gives to doubts of the teacher was raised, since with labels of captions alone (`rc label
--among captions`) they are all that there is; what it leaves at 0 has a half, for other teachers.

Shapes: R labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from schemas.suspicions import MISPLACED, OVERLOOKED, SWAPPED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Values = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Signal:
    """One reason for suspicion.

    Attributes:
        name: Its column; also what it is called as a reason.
        of: What it speaks about: the name, the box, or a region that is not kept.
        weight: In the mean.
        opposite: What it is called where it is low, as a reason for a region that is not kept.
    """

    name: str
    of: Literal["name", "box", "dropped"]
    weight: float
    opposite: str


SIGNALS: Final = (
    Signal("low_probability", "name", 1.0, "probable"),
    Signal("low_margin", "name", 0.5, "clear"),
    Signal("high_entropy", "name", 0.5, "certain"),
    Signal("not_mentioned", "name", 5.0, "mentioned"),
    Signal("neighbours_differ", "name", 0.5, "neighbours_agree"),
    Signal("neighbours_unmentioned", "name", 2.0, "neighbours_mentioned"),
    Signal("others_disagree", "name", 0.5, "others_agree"),
    Signal("overlaps_differ", "name", 0.5, "overlaps_agree"),
    Signal("attracts", "name", 2.0, "attracts_few"),
    Signal("low_objectness", "box", 3.0, "object_like"),
    Signal("odd_box", "box", 0.5, "usual_box"),
    Signal("nested", "box", 0.5, "alone"),
    Signal("unmet", "dropped", 0.0, "unmet"),
)
_HALF: Final = 0.5  # a signal above speaks for a fault, below against it
_OF_NAME: Final = 0.6  # of a suspicion is that of the name, the rest that of the box
_UNMET: Final = 0.5  # how far the best candidate for a concept without a region is moved towards 1


@dataclass(frozen=True)
class Scores:
    """What signals add up to, (R,) each; NaN where it does not apply."""

    suspicion: NDArray[np.float64]
    fault: NDArray[np.str_]
    swapped: NDArray[np.float64]
    misplaced: NDArray[np.float64]
    overlooked: NDArray[np.float64]


def combine(values: Values, kept: NDArray[np.bool_], reviewed: NDArray[np.bool_]) -> Scores:
    """The suspicion of R labels, and of which fault.

    A label of which no signal of the box is known is never called misplaced, and likewise.

    Args:
        values: (R,) of each signal; NaN where it is not known.
        kept: (R,) whether a label is kept; of others the question is whether they should be.
        reviewed: (R,) whether people decided about it, so that nothing is suspected.
    """
    name, box = (np.where(reviewed, 0.0, weighted_mean(values, of)) for of in ("name", "box"))
    both = _OF_NAME * name + (1 - _OF_NAME) * box
    every = np.where(np.isnan(both), np.where(np.isnan(box), name, box), both)
    overlooked = 1 - every
    unmet = np.nan_to_num(values["unmet"])
    overlooked += _UNMET * unmet * (1 - overlooked)
    boxed = np.nan_to_num(box, nan=-1.0) > np.nan_to_num(name, nan=-1.0)
    fault = np.where(kept, np.where(boxed, MISPLACED, SWAPPED), OVERLOOKED)
    return Scores(
        suspicion=np.where(kept, every, overlooked),
        fault=fault,
        swapped=np.where(kept, name, np.nan),
        misplaced=np.where(kept, box, np.nan),
        overlooked=np.where(kept, np.nan, overlooked),
    )


def weighted_mean(values: Values, of: str) -> NDArray[np.float64]:
    """Mean (R,) of the known signals of the name or the box, by weight; NaN where none is known."""
    total = weight = np.zeros(len(values["unmet"]))
    for signal in SIGNALS:
        if signal.of == of:
            known = ~np.isnan(values[signal.name])
            total = total + signal.weight * np.where(known, values[signal.name], 0.0)
            weight = weight + signal.weight * known
    with np.errstate(invalid="ignore"):
        return np.asarray(total / weight)


def reasons(values: Values, scores: Scores) -> list[list[str]]:
    """For each of R labels the signals that speak against it, those that add most first.

    Those of the name come first where it may be swapped, those of the box where it may be
    misplaced. Of a label that is not kept, what speaks for keeping it.
    """
    ordered: list[list[tuple[bool, float, str]]] = [[] for _ in scores.fault]
    about = np.where(scores.fault == MISPLACED, "box", "name")
    overlooked = scores.fault == OVERLOOKED
    for signal in SIGNALS:
        value = np.where(overlooked, 1 - values[signal.name], values[signal.name])
        if signal.of == "dropped":
            value, names = np.where(overlooked, values[signal.name], 0.0), [signal.name] * 2
        else:
            names = [signal.name, signal.opposite]
        adds = np.where(value > _HALF, (value - _HALF) * (signal.weight or np.inf), 0.0)
        for row in np.flatnonzero(adds > 0).tolist():
            later = not overlooked[row] and signal.of != about[row]
            ordered[row].append((later, -float(adds[row]), names[int(overlooked[row])]))
    return [[name for _, _, name in sorted(one, key=_place)] for one in ordered]


def _place(reason: tuple[bool, float, str]) -> tuple[bool, float]:
    return reason[:2]


def unknown(rows: int) -> NDArray[np.float64]:
    """A signal that is known of none of R labels."""
    return np.full(rows, np.nan)


def share_above(reference: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a sorted reference (N,) that is larger than each value (R,); equals count half."""
    below = np.searchsorted(reference, values, side="left")
    up_to = np.searchsorted(reference, values, side="right")
    return np.asarray(1 - (below + up_to) / (2 * max(len(reference), 1)))


def names(of: Sequence[str] = ("name", "box", "dropped")) -> list[str]:
    """Columns of the signals of some kinds."""
    return [signal.name for signal in SIGNALS if signal.of in of]
