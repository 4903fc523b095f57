"""Strata: labels sorted into groups, of which samples are drawn; found in one pass, flat in memory.

Values of a quantity are counted in about a million bins, as wide as the value is large (1 part in
2,048); strata are ranges of bins. Names are counted as they are; the rare ones are one stratum.

Shapes: R labels, H strata.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_BITS: Final = 12  # of the 32 of a float32 that bins leave out
_BINS: Final = 1 << (32 - _BITS)
OTHERS: Final = "others"


@dataclass(frozen=True)
class Strata:
    """What labels are sorted by, in order.

    Attributes:
        names: (H,) such as "0.5 to 0.71", or a concept.
        sizes: (H,) labels of each.
        deviations: (H,) expected standard deviation of a judgement.
    """

    names: Sequence[str]
    sizes: NDArray[np.int64]
    deviations: NDArray[np.float64]


class RangeCount:
    """Counts the values of a quantity, and divides them into ranges."""

    def __init__(self) -> None:
        self._sizes = np.zeros(_BINS, np.int64)
        self._deviations = np.zeros(_BINS)
        self._ends = np.zeros(0, np.int64)

    def add(self, values: NDArray[np.float32], deviations: NDArray[np.float64]) -> None:
        """Count (R,) values, and expected standard deviations of their judgements."""
        bins = _bin(values)
        self._sizes += np.bincount(bins, minlength=_BINS)
        self._deviations += np.bincount(bins, deviations, _BINS)

    def mass(self) -> float:
        """Expected deviations of all, added up."""
        return float(self._deviations.sum())

    def divide(self, most: int) -> Strata:
        """At most so many ranges, with about as much expected deviation in each.

        Source: Dalenius and Hodges (1959), whose strata do so for a density's root.
        """
        filled = np.flatnonzero(self._sizes)
        mass = np.cumsum(self._deviations[filled])
        shares = np.ceil(np.round(mass / mass[-1] * most, 9)).astype(np.int64)
        lasts = np.flatnonzero(np.append(shares[1:] != shares[:-1], True))
        self._ends = filled[lasts]
        sizes = np.diff(np.cumsum(self._sizes[filled])[lasts], prepend=0)
        deviations = np.diff(mass[lasts], prepend=0.0) / sizes
        starts = filled[np.append(0, lasts[:-1] + 1)]
        ends = zip(_value(starts), _value(self._ends), strict=True)
        names = [" to ".join(dict.fromkeys(map(_text, pair))) for pair in ends]
        return Strata(names, sizes, deviations)

    def strata(self, values: NDArray[np.float32]) -> NDArray[np.int64]:
        """The stratum of each of (R,) values, after `divide`."""
        return np.searchsorted(self._ends, _bin(values))


class GroupedCount:
    """Counts values of a quantity in each of a few groups, and divides each into ranges."""

    def __init__(self, names: Sequence[str]) -> None:
        """Expect groups numbered as these names."""
        self._names = names
        self._counts = [RangeCount() for _ in names]
        self._firsts: dict[int, int] = {}

    def add(
        self, groups: NDArray[np.int64], values: NDArray[Any], deviations: NDArray[np.float64]
    ) -> None:
        """Count (R,) values by group, with the expected deviations of their judgements."""
        for group, count in enumerate(self._counts):
            within = groups == group
            count.add(values[within], deviations[within])

    def divide(self, most: int) -> Strata:
        """Ranges of each group: about `most` together, more where more is expected; one at least.

        Groups without labels have none.
        """
        masses = {g: count.mass() for g, count in enumerate(self._counts) if count.mass()}
        found: list[Strata] = []
        total = sum(masses.values())
        for group, mass in masses.items():
            self._firsts[group] = sum(len(strata.names) for strata in found)
            strata = self._counts[group].divide(max(1, round(most * mass / total)))
            names = [f"{self._names[group]}, {name}" for name in strata.names]
            found.append(Strata(names, strata.sizes, strata.deviations))
        return Strata(
            [name for strata in found for name in strata.names],
            np.concatenate([strata.sizes for strata in found]),
            np.concatenate([strata.deviations for strata in found]),
        )

    def strata(self, groups: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.int64]:
        """The stratum of each of (R,) values, after `divide`."""
        places = np.zeros(len(values), np.int64)
        for group, first in self._firsts.items():
            within = groups == group
            places[within] = first + self._counts[group].strata(values[within])
        return places


class NameCount:
    """Counts names, and gives each frequent one a stratum."""

    def __init__(self) -> None:
        self._sizes = Counter[int]()
        self._deviations = Counter[int]()
        self._places: dict[int, int] = {}
        self._others = 0

    def add(self, ids: NDArray[np.int64], deviations: NDArray[np.float64]) -> None:
        """Count (R,) ids of names, and expected standard deviations of their judgements."""
        unique, inverse = np.unique(ids, return_inverse=True)
        self._sizes.update(dict(zip(unique.tolist(), np.bincount(inverse).tolist(), strict=True)))
        sums = np.bincount(inverse, deviations)
        self._deviations.update(dict(zip(unique.tolist(), sums.tolist(), strict=True)))

    def divide(self, most: int) -> Strata:
        """The most frequent names, and all others together: at most so many strata.

        Names are ids in decimal digits.
        """
        ordered = sorted(self._sizes, key=lambda name: (-self._sizes[name], name))
        own = ordered if len(ordered) <= most else ordered[: most - 1]
        self._places = {name: place for place, name in enumerate(own)}
        self._others = len(own)
        rest = ordered[len(own) :]
        sizes = [self._sizes[name] for name in own]
        deviations = [self._deviations[name] for name in own]
        names = [str(name) for name in own]
        if rest:
            names.append(OTHERS)
            sizes.append(sum(self._sizes[name] for name in rest))
            deviations.append(sum(self._deviations[name] for name in rest))
        counted = np.array(sizes, np.int64)
        return Strata(names, counted, np.array(deviations) / counted)

    def strata(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The stratum of each of (R,) ids, after `divide`."""
        unique, inverse = np.unique(ids, return_inverse=True)
        places = [self._places.get(name, self._others) for name in unique.tolist()]
        return np.array(places, np.int64)[inverse]


def _bin(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Bins in the order of the values: the first bits of a float32, those of negatives turned."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return (ordered >> np.uint32(_BITS)).astype(np.int64)


def _text(value: np.float32) -> str:
    return "unknown" if np.isnan(value) else f"{value:.4g}"


def _value(bins: NDArray[np.int64]) -> NDArray[np.float32]:
    """The value nearest to zero of each bin."""
    ordered = (bins << _BITS).astype(np.uint32)
    negative = ordered < np.uint32(1 << 31)
    bits = np.where(
        negative, ~(ordered | np.uint32((1 << _BITS) - 1)), ordered & np.uint32((1 << 31) - 1)
    )
    return bits.astype(np.uint32).view(np.float32)
