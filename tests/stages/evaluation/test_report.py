from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from stages.evaluation.calibration import BINS
from stages.evaluation.detections_file import DetectionsFile
from stages.evaluation.evaluator import Evaluator, ScoringConfig
from stages.evaluation.image_inputs import ImageObjects, ImageProposals
from stages.evaluation.lvis_metadata import LvisMetadata
from stages.evaluation.matches_file import read_matches
from stages.evaluation.report import attach_report
from tests.in_memory import InMemory
from tests.stages.evaluation.records import VOCABULARY, random_boxes

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("confusions", "curves", "calibration", "matches", "ground_truth")
PICTURES = ("precision_recall.png", "calibration.png")


def evaluated(folder: Path, *, classify: bool, lvis: LvisMetadata | None = None) -> Evaluator:
    """An evaluator that is finished with six images, each with three objects."""
    rng = np.random.default_rng(1)
    config = ScoringConfig(0.3, "probability", 0.001, 0.5, 100)
    embeddings = rng.normal(size=(4, 8)).astype("f4")
    with DetectionsFile(folder / "evaluated_detections.parquet", VOCABULARY) as file:
        run = Evaluator(VOCABULARY, embeddings, config, file, lvis=lvis)
        for number in range(6):
            name, boxes = f"val/{number}", random_boxes(rng, 3)
            category = rng.integers(0, 3, 3)
            objects = ImageObjects(
                boxes=boxes,
                category=category,
                area=(boxes[:, 2:] - boxes[:, :2]).prod(axis=1).astype(np.float64),
                is_crowd=np.zeros(3, np.bool_),
                index=np.arange(3),
                ignored=0,
            )
            features = embeddings[category] + rng.normal(0, 1, (3, 8)).astype("f4")
            run.begin(name, 200, 200, objects)
            if classify:
                run.classify(name, objects, features)
            else:
                ones = np.ones(3, np.float32)
                run.detect(name, ImageProposals(boxes, ones, ones), features)
    return run


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / f"{name}.parquet").to_pylist()
    return rows


def plain_error(score: list[float], correct: list[bool]) -> float:
    """Expected calibration error, bin by bin."""
    total = 0.0
    for k in range(BINS):
        inside = [
            (s, c) for s, c in zip(score, correct, strict=True) if min(int(s * BINS), BINS - 1) == k
        ]
        total += abs(sum(c for _, c in inside) - sum(s for s, _ in inside))
    return total / len(score)


@pytest.mark.slow
def test_all_files_are_written_and_pictures_only_on_demand(tmp_path: Path) -> None:
    part, run = InMemory({}, tmp_path), evaluated(tmp_path, classify=True)
    first = attach_report(part, run, pictures=False)
    assert all((tmp_path / f"{name}.parquet").exists() for name in FILES)
    assert not any((tmp_path / name).exists() for name in PICTURES)
    assert attach_report(part, run, pictures=True) == first
    assert all((tmp_path / name).stat().st_size > 0 for name in PICTURES)


def test_classified_boxes_are_reported_from_their_rows(tmp_path: Path) -> None:
    run = evaluated(tmp_path, classify=True)
    metrics = {m.split: m for m in attach_report(InMemory({}, tmp_path), run, pictures=False)}
    rows = read(tmp_path, "evaluated_detections")
    correct = [row["rank"] == 0 for row in rows]
    expected = plain_error([row["score"] for row in rows], correct)
    assert metrics["all"].value == pytest.approx(expected, abs=1e-9)
    assert metrics["all"].objects == len(rows) == 18
    confusions = read(tmp_path, "confusions")
    diagonal = sum(row["count"] for row in confusions if row["truth"] == row["called"])
    assert diagonal == sum(correct)
    assert sum(row["count"] for row in confusions) == 18
    assert None not in {row["truth"] for row in confusions}  # no background, nothing missed


def test_detections_are_reported_from_their_matches(tmp_path: Path) -> None:
    run = evaluated(tmp_path, classify=False)
    metrics = {m.split: m for m in attach_report(InMemory({}, tmp_path), run, pictures=False)}
    matches = read_matches(tmp_path / "matches.parquet", tmp_path / "ground_truth.parquet")
    score = [row["score"] for row in read(tmp_path, "matches")]
    expected = plain_error(score, matches.hit[0].tolist())
    assert metrics["all"].value == pytest.approx(expected, abs=1e-9)
    assert metrics["all"].objects == len(score)
    assert matches.images == tuple(f"val/{n}" for n in range(6))
    assert len(matches.object_category) == 18


def test_curves_are_those_whose_mean_is_ap50(tmp_path: Path) -> None:
    run = evaluated(tmp_path, classify=False)
    attach_report(InMemory({}, tmp_path), run, pictures=False)
    curves = [row["precision"] for row in read(tmp_path, "curves") if row["split"] == "novel"]
    (expected,) = [m.value for m in run.metrics() if (m.metric, m.split) == ("AP50", "novel")]
    assert np.mean(curves) == pytest.approx(expected, abs=1e-6)


def test_with_lvis_only_detections_that_count_there_are_in_the_matches(tmp_path: Path) -> None:
    nothing: dict[str, list[str]] = {f"{n}": [] for n in range(6)}
    frequency = dict.fromkeys(VOCABULARY.names, "f")
    run = evaluated(tmp_path, classify=False, lvis=LvisMetadata(frequency, nothing, nothing))
    attach_report(InMemory({}, tmp_path), run, pictures=False)
    present = {(o["image_id"] - 1, o["category_id"]) for o in run.records.objects}
    matches = read_matches(tmp_path / "matches.parquet", tmp_path / "ground_truth.parquet")
    matched = set(zip(matches.image.tolist(), matches.category.tolist(), strict=True))
    assert matched <= present
    assert len(matches.image) < len(read(tmp_path, "evaluated_detections"))
