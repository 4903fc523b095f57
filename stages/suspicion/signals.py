"""Signals, their weights, and the suspicion that they add up to.

Each signal is in [0, 1], 1 being the most suspicious, or NaN where it is not known. A suspicion is
the weighted mean of the signals that are known. Those of the name alone make `swapped`, those of
the box alone `misplaced`; the larger of the two is the fault of a label that is kept.

Weights were chosen on synthetic scenes of seed 77, which no measurement reports, as
`python -m benchmarks.suspicions --choose` prints them: rounded logistic regression, none below 0.

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
    Signal("not_mentioned", "name", 3.0, "mentioned"),
    Signal("neighbours_differ", "name", 1.0, "neighbours_agree"),
    Signal("neighbours_unmentioned", "name", 3.0, "neighbours_mentioned"),
    Signal("others_disagree", "name", 3.0, "others_agree"),
    Signal("overlaps_differ", "name", 1.0, "overlaps_agree"),
    Signal("attracts", "name", 1.0, "attracts_few"),
    Signal("low_objectness", "box", 3.0, "object_like"),
    Signal("odd_box", "box", 1.0, "usual_box"),
    Signal("nested", "box", 1.0, "alone"),
    Signal("unmet", "dropped", 0.0, "unmet"),
)
_HALF: Final = 0.5  # a signal above speaks for a fault, below against it
_UNMET: Final = 0.5  # how far the best candidate for a concept without a region is moved towards 1


@dataclass(frozen=True)
class Scores:
    """What signals add up to, (R,) each; NaN where it does not apply."""

    suspicion: NDArray[np.float64]
    fault: NDArray[np.str_]
    swapped: NDArray[np.float64]
    misplaced: NDArray[np.float64]
    overlooked: NDArray[np.float64]


def combine(values: Values, kept: NDArray[np.bool_]) -> Scores:
    """The suspicion of R labels, and of which fault.

    A label of which no signal of the box is known is never called misplaced, and likewise.

    Args:
        values: (R,) of each signal; NaN where it is not known.
        kept: (R,) whether a label is kept; of others the question is whether they should be.
    """
    name, box = (weighted_mean(values, of) for of in ("name", "box"))
    every = weighted_mean(values, "name", "box")
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


def weighted_mean(values: Values, *of: str) -> NDArray[np.float64]:
    """Mean (R,) of the known signals of these kinds, by weight; NaN where none is known."""
    total = weight = np.zeros(len(values["unmet"]))
    for signal in SIGNALS:
        if signal.of in of:
            known = ~np.isnan(values[signal.name])
            total = total + signal.weight * np.where(known, values[signal.name], 0.0)
            weight = weight + signal.weight * known
    with np.errstate(invalid="ignore"):
        return np.asarray(total / weight)


def reasons(values: Values, scores: Scores) -> list[list[str]]:
    """For each of R labels the signals that speak for its fault, those that add most first."""
    ordered: list[list[tuple[float, str]]] = [[] for _ in scores.fault]
    overlooked = scores.fault == OVERLOOKED
    for signal in SIGNALS:
        value = np.where(overlooked, 1 - values[signal.name], values[signal.name])
        if signal.of == "dropped":
            value, names = np.where(overlooked, values[signal.name], 0.0), [signal.name] * 2
        else:
            names = [signal.name, signal.opposite]
        adds = np.where(value > _HALF, (value - _HALF) * (signal.weight or np.inf), 0.0)
        for row in np.flatnonzero(adds > 0).tolist():
            ordered[row].append((-float(adds[row]), names[int(overlooked[row])]))
    return [[name for _, name in sorted(one, key=_first)] for one in ordered]


def _first(pair: tuple[float, str]) -> float:
    return pair[0]


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
