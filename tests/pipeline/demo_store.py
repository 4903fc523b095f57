"""A store of a few synthetic scenes, with toy stages behind the real tables of the demo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import demo
from schemas.evaluated_detections import EVALUATED_DETECTIONS
from schemas.images import IMAGES
from schemas.metrics import METRICS
from stages.base import Part, Reads, Stage, each, option
from stages.evaluation.metrics import Metric, metric_rows
from stages.ingest import Ingest
from tests.pipeline import toys
from tests.pipeline.helpers import make

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from schemas.table import Table

NUM_SCENES, NUM_HOLDOUT = 3, 2


@dataclass(frozen=True, kw_only=True)
class NameEveryThirdWrong(Stage):
    """Names every ground-truth box correctly, except every third one."""

    with_splits: bool = option(True, "whether base and novel are measured too")

    name: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = METRICS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        boxes = [
            (row["image_id"], index, box)
            for one_part in part.slices()
            for row in one_part.table("images").to_pylist()
            for index, box in enumerate(row["objects"])
        ]
        truth = [box["category"] for _, _, box in boxes]
        named = ["nothing" if i % 3 == 2 else name for i, name in enumerate(truth)]
        detections = EVALUATED_DETECTIONS.batch(
            {
                "image_id": [image_id for image_id, _, _ in boxes],
                "detection": [index for _, index, _ in boxes],
                "category_id": [0] * len(boxes),
                "category": named,
                "score": [0.5] * len(boxes),
                **{edge: [box[edge] for _, _, box in boxes] for edge in ("x0", "y0", "x1", "y1")},
                "truth": truth,
                "rank": [0] * len(boxes),
            }
        )
        pq.write_table(
            pa.Table.from_batches([detections]), part.attach("evaluated_detections.parquet")
        )
        metrics = [
            Metric("top1", "all", "", 0.25, 1),
            Metric("top5", "all", "", 0.5, 1),
            Metric("top1", "all", "cat", 0.9, 1),
        ]
        if self.with_splits:
            metrics.append(Metric("top1", "base", "", 0.375, 1))
            metrics.append(Metric("top1", "novel", "", 0.125, 1))
        yield metric_rows(metrics)


@dataclass(frozen=True)
class DemoStore:
    """A folder of scenes, and a store with what the demo recipe makes of them."""

    folder: Path
    settings: dict[str, Any]
    root: Path
    labels: Artifact
    metrics: tuple[Artifact, Artifact]  # with and without base and novel


def make_demo_store(folder: Path) -> DemoStore:
    """Render scenes into the folder and make what the demo recipe makes of them."""
    root = folder / "store"
    settings = demo.render_demo_scenes(folder, NUM_SCENES, NUM_HOLDOUT, seed=2)
    holdout = make(Ingest(sources=(settings["holdout"],)), root)
    pins = {"images": holdout.address}
    metrics = tuple(
        make(NameEveryThirdWrong(with_splits=splits), root, pins) for splits in (True, False)
    )
    make(Ingest(sources=(settings["scenes"],)), root)
    for toy in toys.TOYS[1:-2]:
        make(toy(), root)
    labels = make(toys.Label(), root)
    return DemoStore(folder, settings, root, labels, (metrics[0], metrics[1]))
