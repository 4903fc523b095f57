"""Pseudo-labels with another concept or box than the teacher gave.

What a person says is certain: probability 1, no entropy, and nothing is left for other concepts.
The lists of the most similar concepts keep their length, with a probability of 0 for the others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stages.selecting.decisions import Box

    Row = dict[str, Any]  # of pseudo_labels


def given(row: Row, concept_id: int, box: Box | None) -> Row:
    """A label whose concept, box or both a person gave."""
    renamed = concept_id != row["concept_id"]
    others = [one for one in row["top_ids"] if one != concept_id]
    length = len(row["top_ids"])
    before = (row["reviewed"] or "").split(" and ")  # by earlier reviews
    words = [
        *(["renamed"] if renamed or "renamed" in before else []),
        *(["moved"] if box or "moved" in before else []),
    ]
    sides = dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)) if box else {}
    return (
        row
        | sides
        | {
            "concept_id": concept_id,
            "cosine": None,  # nobody measured it
            "probability": 1.0,
            "margin": 1.0,
            "entropy": 0.0,
            "kept": True,
            "in_caption": None if renamed else row["in_caption"],
            "top_ids": [concept_id, *others][:length],
            "top_probabilities": [1.0, *[0.0] * (length - 1)],
            "residual": 0.0,
            "reviewed": " and ".join(words),
        }
    )


def called_otherwise(row: Row, concept_id: int, *, exclusive: bool) -> Row:
    """A label whose concept is another name for the teacher's: its probability is that of both.

    Args:
        row: Of pseudo_labels.
        concept_id: The other name.
        exclusive: Whether concepts exclude each other, so that their probabilities add up; else the
            larger is taken.
    """
    old = row["concept_id"]
    chances: dict[int, float] = dict(zip(row["top_ids"], row["top_probabilities"], strict=True))
    a: float = row["probability"]
    b: float = chances.get(concept_id, 0.0)
    both = a + b if exclusive else max(a, b)
    others = [(one, p) for one, p in chances.items() if one not in (old, concept_id)]
    rest = [(old, 0.0)] if concept_id in chances else []
    # stable: of equals the one that was first; the new name before all that are no more probable
    ranked = sorted([(concept_id, both), *others], key=lambda pair: -pair[1]) + rest
    runner_up = max((p for _, p in others), default=0.0)
    if not others:  # the list is too short to have it: as much as it may be
        is_third = concept_id in chances
        runner_up = min(b, row["residual"]) if is_third else row["probability"] - row["margin"]
    entropy = row["entropy"]
    if exclusive:
        entropy = max(0.0, entropy + _part(both) - _part(a) - _part(b))
    return row | {
        "concept_id": concept_id,
        "probability": both,
        "margin": both - runner_up,
        "entropy": entropy,
        "in_caption": row["in_caption"] or None,  # whether captions have the other name is unknown
        "top_ids": [one for one, _ in ranked],
        "top_probabilities": [p for _, p in ranked],
    }


def replaced(rows: pa.RecordBatch, changed: Mapping[int, Row | None]) -> pa.RecordBatch:
    """Rows of which some are others, or are left out (None), by their positions."""
    if not changed:
        return rows
    new: Sequence[Row] = [row for row in changed.values() if row is not None]
    places = np.arange(rows.num_rows)
    places[[at for at, row in changed.items() if row is not None]] = rows.num_rows + np.arange(
        len(new)
    )
    kept = np.delete(places, [at for at, row in changed.items() if row is None])
    both = pa.Table.from_batches([rows, pa.RecordBatch.from_pylist(new, schema=rows.schema)])
    taken = both.take(pa.array(kept)).combine_chunks()
    return taken.to_batches()[0] if len(kept) else rows.slice(0, 0)


def _part(p: float) -> float:
    """Of an entropy in nats."""
    return -p * math.log(p) if p > 0 else 0.0
