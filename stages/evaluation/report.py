"""What lies beside the metrics: confusions, curves, calibration, matches, and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.evaluation import calibration as scores
from stages.evaluation.confusions import confusions, what_was_said
from stages.evaluation.curves import curve_rows, split_curves
from stages.evaluation.lvis_precision import DETECTIONS, federated, tally
from stages.evaluation.matches_file import write_matches
from stages.evaluation.matching import match

if TYPE_CHECKING:
    from pathlib import Path

    from stages.base import Part
    from stages.evaluation.average_precision import Precision
    from stages.evaluation.evaluator import Evaluator
    from stages.evaluation.matching import ObjectMatches
    from stages.evaluation.metrics import Metric
    from stages.evaluation.vocabulary import Vocabulary


def attach_report(part: Part, evaluator: Evaluator, *, pictures: bool) -> list[Metric]:
    """Write the files beside the rows; the expected calibration errors.

    Args:
        part: Its `detections.parquet` is finished.
        evaluator: Finished, with at least one object.
        pictures: Whether to draw precision_recall.png and calibration.png too.
    """
    vocabulary, named = evaluator.vocabulary, bool(evaluator.truth)
    matches = _matches(evaluator)
    if named:
        said, mixed = _named(part.attach("detections.parquet"), vocabulary)
    else:
        said = scores.from_matches(matches)
        mixed = confusions(*what_was_said(evaluator.records.arrays()), vocabulary)
    precision, bins = tally(matches), scores.by_split(said, vocabulary.splits)
    _write(part.attach("confusions.parquet"), mixed)
    _write(part.attach("curves.parquet"), curve_rows(precision, vocabulary))
    _write(part.attach("calibration.parquet"), scores.calibration_rows(bins))
    names = [str(image["name"]) for image in evaluator.records.images]
    write_matches(part.attach("matches.parquet"), part.attach("drawn.parquet"), matches, names)
    if pictures:
        _draw(part, precision, vocabulary, bins, "probability" if named else "score")
    return scores.errors(bins)


def _matches(evaluator: Evaluator) -> ObjectMatches:
    width = len(evaluator.vocabulary.names)
    if evaluator.federation is None:
        return match(evaluator.records.arrays(), width, evaluator.config.detections_per_image)
    return match(
        federated(evaluator.records, evaluator.vocabulary, evaluator.federation), width, DETECTIONS
    )


def _named(path: Path, vocabulary: Vocabulary) -> tuple[scores.ScoredPredictions, pa.RecordBatch]:
    """What was said of ground-truth boxes, as it was written down."""
    rows = pq.read_table(path, columns=["truth", "category_id", "score", "rank"])
    ids = pa.array(vocabulary.names, pa.string())
    truth = pa.compute.index_in(rows["truth"], ids).to_numpy().astype(np.int64)
    score = rows["score"].to_numpy().astype(np.float64)
    said = scores.ScoredPredictions(score, rows["rank"].to_numpy() == 0, truth)
    called = rows["category_id"].to_numpy().astype(np.int64)
    return said, confusions(truth, called, score, vocabulary)


def _write(path: Path, rows: pa.RecordBatch) -> None:
    pq.write_table(pa.Table.from_batches([rows]), path, compression="zstd")


def _draw(
    part: Part,
    precision: Precision,
    vocabulary: Vocabulary,
    bins: dict[str, scores.Bins],
    what: str,
) -> None:
    from stages.evaluation.plots import draw_calibration, draw_curves

    single = [
        precision.precision[0, :, k, 0]
        for k in range(len(vocabulary.names))
        if precision.objects[k, 0]
    ]
    splits = split_curves(precision, vocabulary.splits)
    draw_curves(part.attach("precision_recall.png"), splits, single)
    if bins:
        draw_calibration(part.attach("calibration.png"), bins, what)
