"""Comparing two evaluations: values, intervals, and evaluations that cannot be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.analysis.compare import as_json, compare
from schemas.errors import ArtifactError
from schemas.evaluated_detections import EVALUATED_DETECTIONS
from schemas.images import IMAGES
from schemas.metrics import METRICS
from stages.base import Part, Reads, Stage, each, option
from stages.evaluation.detection_records import DetectionRecords
from stages.evaluation.matches_file import write_matches
from stages.evaluation.matching import match
from stages.evaluation.metrics import Metric, metric_rows
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from schemas.table import Table

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class ToyEvaluate(Stage):
    """Classifies the object of each image correctly, except of every `wrong`-th image."""

    wrong: int = option(2, "one of so many images is classified wrongly")
    names: tuple[str, ...] = option(("dog", "cat"), "vocabulary")
    matched: bool = option(True, "write matches beside the rows")

    name: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = METRICS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        ids = [i for s in part.slices() for i in s.table("images").column("image_id").to_pylist()]
        records, box = DetectionRecords(), np.float32([[0, 0, 10, 10]])
        predicted = [int(n % self.wrong == 0) for n in range(len(ids))]
        for name, k in zip(ids, predicted, strict=True):
            records.add_image(20, 20, name)
            records.add_objects(box, [0], [100.0], [False])
            records.add_detections(box, np.array([k]), np.array([0.5]))
        right = float(np.mean([k == 0 for k in predicted]))
        rows = EVALUATED_DETECTIONS.batch(
            {
                "image_id": ids,
                "detection": [0] * len(ids),
                "category_id": predicted,
                "category": [self.names[k] for k in predicted],
                "score": [0.5] * len(ids),
                **{side: [0.0] * len(ids) for side in ("x0", "y0", "x1", "y1")},
                "truth": [self.names[0]] * len(ids),
                "rank": predicted,
            }
        )
        pq.write_table(pa.Table.from_batches([rows]), part.attach("evaluated_detections.parquet"))
        if self.matched:
            matches = match(records.arrays(), 2, 100)
            write_matches(
                part.attach("matches.parquet"), part.attach("ground_truth.parquet"), matches, ids
            )
        members = {"all": [0, 1], "base": [0]}
        vocabulary = {"names": list(self.names), "members": members}
        part.note("protocol", {"vocabulary": vocabulary})
        yield metric_rows(
            [
                Metric("APs", "all", "", 0.5, len(ids)),
                Metric("top1", "all", "", right, len(ids)),
            ]
        )


def prefix(artifact: Artifact) -> str:
    return artifact.manifest.fingerprint[:10]


def test_each_metric_has_both_values_and_their_intervals(root: Path) -> None:
    make(Ingest(count=40), root)
    poor, good = make(ToyEvaluate(wrong=2), root), make(ToyEvaluate(wrong=10), root)
    lines = {(line.metric, line.split): line for line in compare(root, prefix(poor), prefix(good))}
    top1 = lines["top1", "all"]
    assert top1.first == pytest.approx(0.5, abs=0.05)
    assert top1.second > 0.85
    assert top1.difference == pytest.approx(top1.second - top1.first)
    assert top1.low is not None
    assert top1.high is not None
    assert top1.first_low < top1.first < top1.first_high
    assert 0 < top1.low < top1.difference < top1.high
    assert top1.apart
    assert lines["APs", "all"].low is None
    assert not lines["APs", "all"].apart
    assert json.loads(json.dumps(as_json(list(lines.values()))))[0]["metric"]


def test_an_evaluation_compared_with_itself_has_no_difference(root: Path) -> None:
    make(Ingest(count=20), root)
    one = prefix(make(ToyEvaluate(), root))
    (line,) = [line for line in compare(root, one, f"metrics@{one}") if line.metric == "top1"]
    assert (line.difference, line.low, line.high, line.apart) == (0, 0, 0, False)


def test_equal_seeds_give_equal_intervals(root: Path) -> None:
    make(Ingest(count=20), root)
    pair = prefix(make(ToyEvaluate(), root)), prefix(make(ToyEvaluate(wrong=3), root))
    assert compare(root, *pair, seed=1) == compare(root, *pair, seed=1)
    assert compare(root, *pair, seed=1) != compare(root, *pair, seed=2)


def test_evaluations_that_cannot_be_compared_are_refused_with_the_reason(root: Path) -> None:
    images = make(Ingest(count=20), root)
    one = make(ToyEvaluate(), root)
    other = make(ToyEvaluate(names=("hund", "katze")), root)
    bare = make(ToyEvaluate(matched=False), root)
    make(Ingest(count=10), root)
    elsewhere = make(ToyEvaluate(), root)
    assert images.address in one.manifest.inputs.values()
    with pytest.raises(ArtifactError, match="have different category names or splits"):
        compare(root, prefix(one), prefix(other))
    with pytest.raises(ArtifactError, match="has no matches, or was made by an older version"):
        compare(root, prefix(one), prefix(bare))
    with pytest.raises(ArtifactError, match="evaluated different images"):
        compare(root, prefix(one), prefix(elsewhere))
