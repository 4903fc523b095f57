"""What lies beside the metrics: matches, bootstrap, confusions, curves, calibration, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from stages.evaluation import bootstrap
from stages.evaluation.average_precision import count_precision
from stages.evaluation.calibration import (
    BINS,
    ScoredPredictions,
    calibration_errors,
    calibration_rows,
    split_bins,
)
from stages.evaluation.confusions import NOTHING, confusion_rows, predicted_categories
from stages.evaluation.curves import curve_rows
from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.lvis_precision import precision_from_matches
from stages.evaluation.matches_file import read_matches, write_matches
from stages.evaluation.matching import match
from stages.evaluation.plots import plot_calibration, plot_curves
from stages.evaluation.vocabulary import Vocabulary
from tests.stages.evaluation.test_average_precision import a_day_of_detecting

if TYPE_CHECKING:
    from pathlib import Path

    from stages.evaluation.matches_file import StoredMatches

rng = np.random.default_rng()
CATEGORIES = 4
NAMES = Vocabulary(("a", "b", "c", "d"), {"base": ("a", "c"), "novel": ("b", "d")})


def judged(records: DetectionRecords, folder: Path) -> StoredMatches:
    names = [f"image/{n:04}" for n in range(len(records.images))]
    matches = match(records.arrays(), CATEGORIES, 100)
    write_matches(folder / "m.parquet", folder / "d.parquet", matches, names)
    return read_matches(folder / "m.parquet", folder / "d.parquet")


def repeated(records: DetectionRecords, times: np.ndarray) -> DetectionRecords:
    """The same day with each image as often as told, literally copied."""
    copy = DetectionRecords()
    for number, count in enumerate(times.astype(int)):
        for _ in range(count):
            image = records.images[number]
            copy.add_image(image["width"], image["height"], f"{number}-{len(copy.images)}")
            own = [o for o in records.objects if o["image_id"] == image["id"]]
            corners = np.array([o["bbox"] for o in own], np.float32).reshape(-1, 4)
            corners[:, 2:] += corners[:, :2]
            copy.add_objects(
                corners,
                [o["category_id"] for o in own],
                [o["area"] for o in own],
                [bool(o["iscrowd"]) for o in own],
            )
            rows = np.concatenate([np.zeros((0, 7)), *records.detections])
            rows = rows[rows[:, 0] == image["id"]]
            boxes = np.concatenate([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], axis=1)
            copy.add_detections(boxes.astype(np.float32), rows[:, 6].astype(int), rows[:, 5])
    return copy


def a_day_without_ties() -> DetectionRecords:
    """Scores that differ: of equal scores it would matter which image comes first."""
    records = a_day_of_detecting()
    for rows in records.detections:
        rows[:, 5] = rng.permutation(10_000)[: len(rows)].astype(np.float32) / 10_000 + np.float32(
            rows[0, 0] / 1e6 if len(rows) else 0
        )
    return records


def test_a_resample_is_what_copying_the_images_would_give(tmp_path: Path) -> None:
    records = a_day_without_ties()
    day = judged(records, tmp_path)
    weights = bootstrap.resample_weights(len(records.images), 6, seed=int(rng.integers(1 << 30)))
    found = bootstrap.average_precision(day, weights, NAMES.splits)
    for b, times in enumerate(weights):
        copied = count_precision(repeated(records, times), CATEGORIES, 100)
        metrics = copied.metrics(NAMES, with_recall=False)
        expected = {(m.metric, m.split): m.value for m in metrics if not m.category}
        for split in NAMES.splits:
            for metric in ("AP", "AP50"):
                if (metric, split) in expected:
                    close = pytest.approx(expected[metric, split], abs=1e-6)
                    assert found[metric, split][b] == close


def test_the_first_resample_is_the_images_as_they_were() -> None:
    weights = bootstrap.resample_weights(7, 5, seed=3)
    assert weights.shape == (6, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()
    assert (bootstrap.resample_weights(7, 5, seed=3) == weights).all()


def test_a_resample_without_objects_is_nan_and_left_out_of_the_interval() -> None:
    image, right = np.array([0, 0, 1]), np.array([True, False, True])
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 3.0], [2.0, 1.0, 0.0]])
    found = bootstrap.accuracy(image, right, np.array([True, True, True]), weights)
    assert found == pytest.approx([2 / 3, np.nan, 3 / 5], nan_ok=True)
    span = bootstrap.interval(found)
    assert 3 / 5 <= span.low <= span.high <= 2 / 3
    assert np.isnan(bootstrap.interval(np.full(3, np.nan)).low)


def test_matches_come_back_as_they_were(tmp_path: Path) -> None:
    records = a_day_of_detecting()
    records.add_image(10, 10)  # neither objects nor detections
    matches = match(records.arrays(), CATEGORIES, 100)
    day = judged(records, tmp_path)
    order, _ = matches.ranked()
    assert len(day.images) == len(records.images)
    assert (day.image == matches.image[order]).all()
    assert (day.category == matches.category[order]).all()
    assert (day.hit == matches.hit[:, 0, order]).all()
    assert (day.ignored == matches.ignored[:, 0, order]).all()
    assert len(day.object_image) == matches.counted[0].sum()


def test_an_empty_day_is_written_and_read(tmp_path: Path) -> None:
    records = DetectionRecords()
    records.add_image(10, 10)
    records.add_objects(np.zeros((0, 4), np.float32), [], [], [])
    day = judged(records, tmp_path)
    assert (len(day.images), len(day.image), len(day.object_image)) == (1, 0, 0)
    assert bootstrap.average_precision(day, bootstrap.resample_weights(1, 2, 0), NAMES.splits) == {}


def test_confusions_are_what_a_loop_counts() -> None:
    truth, called = rng.integers(-1, 4, 200), rng.integers(-1, 4, 200)
    score = rng.uniform(size=200)
    rows = confusion_rows(truth, called, score, NAMES).to_pylist()
    names = [*NAMES.names, None]  # NOTHING is the last
    assert [r["count"] for r in rows] == sorted((r["count"] for r in rows), reverse=True)
    for row in rows:
        own = [
            s
            for t, c, s in zip(truth, called, score, strict=True)
            if names[t] == row["truth"] and names[c] == row["called"]
        ]
        assert row["count"] == len(own)
        expected = None if row["called"] is None else pytest.approx(np.mean(own), rel=1e-5)
        assert row["mean_score"] == expected
    assert sum(r["count"] for r in rows) == 200


def test_an_object_is_called_what_the_surest_box_on_it_says() -> None:
    records = DetectionRecords()
    records.add_image(100, 100)
    square = np.float32([[0, 0, 10, 10], [50, 50, 60, 60], [80, 80, 90, 90]])
    records.add_objects(square, [0, 1, 2], [100.0] * 3, [False, False, True])
    boxes = np.float32([[0, 0, 10, 9], [0, 0, 10, 10], [20, 20, 30, 30], [81, 81, 90, 90]])
    records.add_detections(boxes, np.array([3, 0, 1, 2]), np.array([0.9, 0.4, 0.8, 0.7]))
    truth, called, score = predicted_categories(records.arrays())
    said = {
        (int(t), int(c), round(float(s), 3)) for t, c, s in zip(truth, called, score, strict=True)
    }
    assert said == {(0, 3, 0.9), (1, NOTHING, 0.0), (NOTHING, 1, 0.8)}


def test_the_mean_precision_of_a_curve_is_its_ap50() -> None:
    records = a_day_of_detecting()
    precision = count_precision(records, CATEGORIES, 100)
    rows = pa.Table.from_batches([curve_rows(precision, NAMES)]).to_pylist()
    metrics = {
        (m.split, m.category): m.value
        for m in precision.metrics(NAMES, with_recall=False)
        if m.metric == "AP50"
    }
    curves: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        curves.setdefault((row["split"], row["category"]), []).append(row["precision"])
    assert curves.keys() == metrics.keys()
    for key, values in curves.items():
        assert len(values) == 101
        assert np.mean(values) == pytest.approx(metrics[key], abs=1e-9)


def test_calibration_is_what_a_loop_counts() -> None:
    score, category = rng.uniform(size=300), rng.integers(0, 4, 300)
    right = rng.uniform(size=300) < score
    bins = split_bins(ScoredPredictions(score, right, category), NAMES.splits)
    for metric in calibration_errors(bins):
        own = np.isin(category, NAMES.splits[metric.split])
        total = 0.0
        for k in range(BINS):
            inside = own & (score >= k / BINS) & (score < (k + 1) / BINS)
            if inside.any():
                total += inside.sum() * abs(score[inside].mean() - right[inside].mean())
        assert metric.value == pytest.approx(total / own.sum(), abs=1e-9)
        assert metric.objects == own.sum()
    rows = calibration_rows(bins).to_pylist()
    assert sum(row["count"] for row in rows if row["split"] == "all") == 300


def test_a_score_of_one_or_more_falls_into_the_last_bin() -> None:
    said = ScoredPredictions(np.array([1.0, 1.7, 0.0]), np.array([True] * 3), np.array([0, 0, 0]))
    (row_low, row_high) = [
        r
        for r in calibration_rows(split_bins(said, NAMES.splits)).to_pylist()
        if r["split"] == "all"
    ]
    assert (row_low["bin"], row_low["count"]) == (0, 1)
    assert (row_high["bin"], row_high["count"]) == (BINS - 1, 2)


def test_pictures_of_equal_numbers_are_equal_bytes(tmp_path: Path) -> None:
    records = a_day_of_detecting()
    precision = precision_from_matches(match(records.arrays(), CATEGORIES, 100))
    curves = {"all": precision.precision[0, :, 0, 0].clip(0)}
    bins = split_bins(
        ScoredPredictions(rng.uniform(size=50), rng.uniform(size=50) < 0.5, np.zeros(50, int)),
        NAMES.splits,
    )
    for name in ("one", "two"):
        plot_curves(tmp_path / f"{name}-c.png", curves, [curves["all"]])
        plot_calibration(tmp_path / f"{name}-b.png", bins, "score")
    for kind in "cb":
        first, second = (tmp_path / f"{n}-{kind}.png" for n in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
        assert first.read_bytes().startswith(b"\x89PNG")
