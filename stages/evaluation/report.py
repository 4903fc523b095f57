"""The files beside the metrics: confusions, curves, calibration, matches, and plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.evaluation.calibration import (
    ScoredPredictions,
    calibration_errors,
    calibration_rows,
    predictions_from_matches,
    split_bins,
)
from stages.evaluation.confusions import confusion_rows, predicted_categories
from stages.evaluation.curves import curve_rows, split_curves
from stages.evaluation.matches_file import write_matches

if TYPE_CHECKING:
    from pathlib import Path

    from stages.base import Part
    from stages.evaluation.average_precision import PrecisionRecall
    from stages.evaluation.calibration import Bins
    from stages.evaluation.evaluator import Evaluator
    from stages.evaluation.metrics import Metric
    from stages.evaluation.vocabulary import Vocabulary


def attach_report(part: Part, evaluator: Evaluator, *, pictures: bool) -> list[Metric]:
    """Write the files beside the rows, and return the expected calibration errors.

    Args:
        part: Its `evaluated_detections.parquet` is finished.
        evaluator: Finished, with at least one object.
        pictures: Whether to plot precision_recall.png and calibration.png too.
    """
    vocabulary, classified = evaluator.vocabulary, bool(evaluator.truth)
    matches, precision = evaluator.matches, evaluator.precision
    if not evaluator.lvis:
        matches = matches.first(evaluator.config.detections_per_image)
    if classified:
        predictions, confused = _classified(part.attach("evaluated_detections.parquet"), vocabulary)
    else:
        predictions = predictions_from_matches(matches)
        confused = confusion_rows(*predicted_categories(evaluator.records.arrays()), vocabulary)
    bins = split_bins(predictions, vocabulary.splits)
    _write(part.attach("confusions.parquet"), confused)
    _write(part.attach("curves.parquet"), curve_rows(precision, vocabulary))
    _write(part.attach("calibration.parquet"), calibration_rows(bins))
    image_ids = [str(image["name"]) for image in evaluator.records.images]
    write_matches(
        part.attach("matches.parquet"), part.attach("ground_truth.parquet"), matches, image_ids
    )
    if pictures:
        _plot(part, precision, vocabulary, bins, "probability" if classified else "score")
    return calibration_errors(bins)


def _classified(path: Path, vocabulary: Vocabulary) -> tuple[ScoredPredictions, pa.RecordBatch]:
    """Predictions and confusions of ground-truth boxes, from their rows."""
    rows = pq.read_table(
        path, columns=["truth", "category_id", "score", "rank"], page_checksum_verification=True
    )
    names = pa.array(vocabulary.names, pa.string())
    truth = pa.compute.index_in(rows["truth"], names).to_numpy().astype(np.int64)
    score = rows["score"].to_numpy().astype(np.float64)
    predictions = ScoredPredictions(score, rows["rank"].to_numpy() == 0, truth)
    predicted = rows["category_id"].to_numpy().astype(np.int64)
    return predictions, confusion_rows(truth, predicted, score, vocabulary)


def _write(path: Path, rows: pa.RecordBatch) -> None:
    pq.write_table(
        pa.Table.from_batches([rows]), path, compression="zstd", write_page_checksum=True
    )


def _plot(
    part: Part,
    precision: PrecisionRecall,
    vocabulary: Vocabulary,
    bins: dict[str, Bins],
    score_name: str,
) -> None:
    from stages.evaluation.plots import plot_calibration, plot_curves

    categories = [
        precision.precision[0, :, k, 0]
        for k in range(len(vocabulary.names))
        if precision.objects[k, 0]
    ]
    splits = split_curves(precision, vocabulary.splits)
    plot_curves(part.attach("precision_recall.png"), splits, categories)
    if bins:
        plot_calibration(part.attach("calibration.png"), bins, score_name)
