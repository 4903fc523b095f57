"""Signals of labels, a table of whole images at a time.

Shapes: R labels, C concepts, D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.compute as pc

from stages.suspicion.box_relations import BoxesOfImage, relations
from stages.suspicion.box_shapes import boxes_of, shapes
from stages.suspicion.caption_mentions import (
    FIRST,
    instead,
    mention,
    ranked_lists,
    unmet,
    wrong_by_mention,
)
from stages.suspicion.label_survey import as_floats, concept_ids, image_numbers
from stages.suspicion.signals import share_above, unknown

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.suspicion.caption_mentions import CaptionMentions
    from stages.suspicion.label_survey import LabelSurvey
    from stages.suspicion.reference_regions import ReferenceRegions

_LEAST: Final = 0.02  # share of the surest labels that is mentioned, to compare others with


@dataclass(frozen=True)
class Evidence:
    """What labels are judged by.

    Attributes:
        survey: Of all labels.
        references: Regions with features; None without features.
        mentions: Of the images of the part; None if unknown.
        base: (C,) share of images whose captions mention each concept; 0 if unknown.
        vectors: (C, D) centred embeddings, by id.
        neighbours: How many references say something of a region.
    """

    survey: LabelSurvey
    references: ReferenceRegions | None
    mentions: CaptionMentions | None
    base: NDArray[np.float64]
    vectors: NDArray[np.float32]
    neighbours: int


@dataclass(frozen=True)
class LabelSignals:
    """What is known of R labels.

    Attributes:
        values: (R,) of each signal; NaN where it is not known.
        instead: (R,) ids of what each may be instead.
        missing: How many mentioned concepts have no kept region in their image.
    """

    values: dict[str, NDArray[np.float64]]
    instead: list[int | None]
    missing: int


@dataclass(frozen=True)
class LabelRows:
    """The rows of a table of whole images, as far as signals need them.

    Attributes:
        rows: Pseudo-labels.
        features: (R, D); None without features.
        others: Other labels of the same regions; None if there is none.
        has_other: (R,) whether there is one.
    """

    rows: pa.Table
    features: NDArray[Any] | None
    others: pa.Table | None
    has_other: NDArray[np.bool_]


def signals_of(labels: LabelRows, evidence: Evidence) -> LabelSignals:
    """All signals of the labels of whole images."""
    rows, survey = labels.rows, evidence.survey
    concepts = concept_ids(rows, len(evidence.vectors))
    numbers, boxes = image_numbers(rows), boxes_of(rows)
    values = {
        "low_probability": _rank(survey, rows, "probability"),
        "low_margin": _rank(survey, rows, "margin"),
        "high_entropy": 1 - _rank(survey, rows, "entropy"),
        "low_objectness": _rank(survey, rows, "objectness"),
        "attracts": _attracts(survey)[concepts],
        "odd_box": survey.boxes.unlikeness(concepts, shapes(boxes, numbers)),
        "others_disagree": _disagree(labels, concepts),
        "neighbours_differ": unknown(rows.num_rows),
        "neighbours_unmentioned": unknown(rows.num_rows),
    }
    if evidence.references is not None and labels.features is not None:
        codes = evidence.references.codes(rows)
        near = evidence.references.nearest(labels.features, codes, evidence.neighbours)
        values["neighbours_differ"] = evidence.references.differ(near, concepts)
        values["neighbours_unmentioned"] = evidence.references.unmentioned(
            near, concepts, survey.expected[concepts], evidence.base[concepts]
        )
    within, instead_ids, missing = _within_images(rows, concepts, boxes, numbers, evidence.mentions)
    values |= within
    values["not_mentioned"] = wrong_by_mention(
        _mention(rows, concepts, numbers, evidence),
        survey.expected[concepts],
        evidence.base[concepts],
    )
    return LabelSignals(values, instead_ids, missing)


def _rank(survey: LabelSurvey, rows: pa.Table, column: str) -> NDArray[np.float64]:
    return share_above(survey.ranks[column], as_floats(rows, column))


def _disagree(labels: LabelRows, concepts: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 - probability of the concept in other labels; it is 0 below their top concepts."""
    if labels.others is None:
        return unknown(len(concepts))
    widest = pc.max(pc.list_value_length(labels.others.column("top_ids"))).as_py()
    ids = ranked_lists(labels.others, "top_ids", widest, -1)
    probabilities = ranked_lists(labels.others, "top_probabilities", widest, 0.0)
    chances = np.where(ids == concepts[:, None], probabilities, 0.0).max(axis=1, initial=0.0)
    return np.where(labels.has_other, 1 - chances, np.nan)


def _within_images(
    rows: pa.Table,
    concepts: NDArray[np.int64],
    boxes: NDArray[np.float64],
    numbers: NDArray[np.int64],
    mentions: CaptionMentions | None,
) -> tuple[dict[str, NDArray[np.float64]], list[int | None], int]:
    """Signals that compare the labels of an image; what each may be; mentioned without a region."""
    kept = rows.column("kept").to_numpy()
    probabilities = as_floats(rows, "probability")
    ranked = ranked_lists(rows, "top_ids", FIRST, -1).astype(np.int64)
    chances = ranked_lists(rows, "top_probabilities", FIRST, 0.0).astype(np.float64)
    columns = {name: unknown(len(concepts)) for name in ("overlaps_differ", "nested", "unmet")}
    instead_ids: list[int | None] = []
    missing = 0
    for image, here in _images(rows, numbers):
        labels = BoxesOfImage(boxes[here], concepts[here], probabilities[here], kept[here])
        columns["overlaps_differ"][here], columns["nested"][here] = relations(labels)
        mentioned = np.zeros(0, np.int64) if mentions is None else mentions.of(image)
        others = instead(ranked[here], concepts[here], mentioned)
        if len(mentioned):
            candidates, count = unmet(ranked[here], chances[here], kept[here], mentioned)
            columns["unmet"][here] = candidates >= 0
            others = [
                int(candidate) if candidate >= 0 else other
                for candidate, other in zip(candidates, others, strict=True)
            ]
            missing += count
        instead_ids += others
    return columns, instead_ids, missing


def _attracts(survey: LabelSurvey) -> NDArray[np.float64]:
    """1 - mentions of the labels of each concept by those of its surest, (C,) in [0, 1]."""
    expected = np.where(survey.expected > _LEAST, survey.expected, np.nan)
    return np.clip(1 - survey.mentioned / expected, 0, 1)


def _mention(
    rows: pa.Table,
    concepts: NDArray[np.int64],
    numbers: NDArray[np.int64],
    evidence: Evidence,
) -> NDArray[np.float64]:
    if evidence.mentions is None:
        return as_floats(rows, "in_caption")
    values = unknown(len(concepts))
    for image, here in _images(rows, numbers):
        mentioned = evidence.mentions.of(image)
        values[here] = mention(concepts[here], mentioned, evidence.vectors)
    return values


def _images(rows: pa.Table, numbers: NDArray[np.int64]) -> list[tuple[str, slice]]:
    """Each image with its rows, which are one after the other."""
    if not len(numbers):
        return []
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    ends = [*starts[1:].tolist(), len(numbers)]
    names = rows.column("image_id").take(starts).to_pylist()
    return [
        (name, slice(start, end))
        for name, start, end in zip(names, starts.tolist(), ends, strict=True)
    ]
