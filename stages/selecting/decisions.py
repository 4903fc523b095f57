"""Decisions: what all reviewers together say that a region is.

Each reviewer of a region has one voice. As in an audit (`stages.auditing.verdicts`), a label is
right if more voices call it right than not; unsure voices do not count, and a draw decides nothing.
If it is not right, it is what most of those say who say what it is, or who draw its box, unless
more of them say no more than that it is wrong.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    Box = tuple[float, float, float, float]

_SIDES = ("x0", "y0", "x1", "y1")
_LISTED = 5  # unknown names, of perhaps many
_UNKNOWN = -1  # the number of a name that the pool does not have


@dataclass(frozen=True, slots=True)
class Decision:
    """What people say of a region.

    Attributes:
        judged: Concept that they were asked about.
        concept_id: What it is; None if they say only that it is not `judged`, or if
            `nothing_known`.
        box: Where it is, pixels of the original image; None if the box is good.
        nothing_known: It is neither `judged` nor any other concept that is known: they do not
            agree what it is, or the pool does not have it.
    """

    judged: int
    concept_id: int | None
    box: Box | None = None
    nothing_known: bool = False


@dataclass
class Decisions:
    """The decision about each region that was reviewed, by image and region.

    Attributes:
        of: Decisions, without regions that are open.
        open: How many regions are: all reviewers are unsure, or their voices are equal.
        unknown: Names that reviewers gave and the pool does not have, in order.
    """

    of: dict[tuple[str, int], Decision] = field(default_factory=dict)
    open: int = 0
    unknown: list[str] = field(default_factory=list)

    def note(self) -> dict[str, Any]:
        """Their numbers, and some unknown names, for the manifest."""
        counts = {"decided": len(self.of), "open": self.open, "unknown": len(self.unknown)}
        return {**counts, "unknown_names": self.unknown[:_LISTED]}


def decisions(reviews: pa.Table, pool: Mapping[str, int]) -> Decisions:
    """What reviewers together say of each region.

    Args:
        reviews: Rows of `reviews`.
        pool: The number of each concept, by name; capital letters and spaces around a name that
            reviewers gave do not matter.
    """
    folded = {name.casefold(): number for name, number in reversed(list(pool.items()))}
    voices: dict[tuple[str, int], list[dict[str, Any]]] = {}
    unknown: dict[str, None] = {}
    for row in reviews.to_pylist():
        if (name := row["concept"]) is not None:
            row["number"] = pool.get(name, folded.get(name.strip().casefold(), _UNKNOWN))
            if row["number"] == _UNKNOWN:
                unknown[name] = None
        voices.setdefault((row["image_id"], row["region"]), []).append(row)
    found = Decisions(unknown=list(unknown))
    for region, rows in voices.items():
        decision = _decision([row for row in rows if row["verdict"] != "unsure"])
        if decision is None:
            found.open += 1
        else:
            found.of[region] = decision
    return found


def _decision(voices: Sequence[Mapping[str, Any]]) -> Decision | None:
    """Of one region; None if it stays open."""
    against = [row for row in voices if row["verdict"] != "right"]
    lead = len(voices) - 2 * len(against)
    if not lead:
        return None
    judged = voices[0]["concept_id"]
    if lead > 0:
        return Decision(judged, judged)
    said = [(_named(row), row) for row in against]
    counts = Counter(number for number, _ in said if number is not None).most_common(2)
    silent = sum(number is None for number, _ in said)
    if not counts or silent > counts[0][1]:  # most say only what it is not
        return Decision(judged, None)
    (best, most), *others = counts
    if best == _UNKNOWN or (others and others[0][1] == most):
        return Decision(judged, None, nothing_known=True)
    boxes = [row for number, row in said if number == best and row["x0"] is not None]
    if not boxes:
        return Decision(judged, best)
    x0, y0, x1, y1 = (max(boxes, key=_time)[side] for side in _SIDES)
    return Decision(judged, best, (x0, y0, x1, y1))


def _named(row: Mapping[str, Any]) -> int | None:
    """What a voice says that the region is; None if it does not say, or not where it is."""
    if row["verdict"] == "wrong-box" and row["x0"] is None:
        return None
    if row["concept"] is None:
        return row["concept_id"] if row["verdict"] == "wrong-box" else None
    number: int = row["number"]
    return number


def _time(row: Mapping[str, Any]) -> float:
    return row["time"].timestamp() if row["time"] else 0.0
