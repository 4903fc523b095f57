"""Boxes of another tool, from images on disk to proposals in the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.store.artifact import stream
from schemas.errors import StageError
from schemas.quarantine import QUARANTINE
from stages.ingest import Ingest
from stages.outcome import Outcome, Result
from stages.proposals.region_dump import DumpWriter
from stages.propose import Propose
from tests.pipeline.helpers import make
from tests.stages.sources.samples import encoded, write_json, write_tar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow
SIZE = (100, 80)


def write_pictures(folder: Path, *names: str) -> Path:
    """Pictures of 100 x 80 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        (folder / name).write_bytes(encoded(seed, SIZE))
    return folder


def ingested(store: Path, *sources: Path, **options: Any) -> Path:
    """A store with the images of some sources."""
    make(Ingest(sources=tuple(map(str, sources)), **options), store)
    return store


def proposed(store: Path, path: Path, **options: Any) -> tuple[dict[str, list[float]], Outcome]:
    """Left edges of the proposals of each image, and what the run says at its end."""
    stage = Propose(from_file=path, device="cpu", **options)
    artifact = make(stage, store, allow_empty=True)
    rows = [row for batch in stream(artifact.files()) for row in batch.to_pylist()]
    edges: dict[str, list[float]] = {}
    for row in rows:
        edges.setdefault(row["image_id"], []).append(row["x0"])
    manifest = artifact.manifest
    return edges, stage.outcome(Result(manifest.rows, manifest.dropped, manifest.notes))


def refused(store: Path) -> list[tuple[str, str]]:
    """Record and reason of what the runs of propose refused."""
    paths = sorted((store / "proposals").rglob("*quarantine.parquet"))
    return [(r["record"], r["reason"]) for p in paths for r in pq.read_table(p).to_pylist()]


def results(*ids: Any, **more: Any) -> list[dict[str, Any]]:
    """COCO results: box n begins at x = 10 (n + 1)."""
    return [
        {"image_id": i, "bbox": [10 * (n + 1), 10, 20, 20], "score": 0.9, **more}
        for n, i in enumerate(ids)
    ]


def in_json(path: Path) -> Path:
    return write_json(path.with_suffix(".json"), results(0, 1, 2))


def in_parquet(path: Path) -> Path:
    table = pa.Table.from_pylist(results(0, 1, 2))
    pq.write_table(table, path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def in_hdf5(path: Path) -> Path:
    with DumpWriter(path.with_suffix(".h5"), "score") as dump:
        for n in range(3):
            x = 10 * (n + 1)
            dump.append(str(n), np.float32([[x, 10, x + 20, 30]]), np.float32([0.9]))
    return path.with_suffix(".h5")


@pytest.mark.parametrize("write", [in_json, in_parquet, in_hdf5])
@pytest.mark.parametrize("part_images", [1, 2, 10])
def test_results_keyed_by_the_ids_of_a_json_are_not_taken_for_numbers_of_files(
    tmp_path: Path, write: Callable[[Path], Path], part_images: int
) -> None:
    write_pictures(tmp_path / "coco" / "val", "1.jpg", "2.jpg", "3.jpg")
    listed = [{"id": n, "file_name": f"{n + 1}.jpg"} for n in range(3)]
    content: dict[str, Any] = {"images": listed, "annotations": [], "categories": []}
    write_json(tmp_path / "coco" / "annotations" / "instances_val.json", content)
    store = ingested(tmp_path / "store", tmp_path / "coco", part_images=part_images)
    edges, outcome = proposed(store, write(tmp_path / "boxes"))
    assert edges == {"val/1": [10], "val/2": [20], "val/3": [30]}
    assert outcome.summary[1] == "3 of 3 images have boxes: 3 by COCO id"
    assert outcome.losses == []


def test_a_key_of_two_shards_is_refused_and_its_boxes_given_to_neither(tmp_path: Path) -> None:
    for number, shard in enumerate(("00.tar", "01.tar")):
        members = {"000.jpg": encoded(number, SIZE), "001.jpg" if number else "002.jpg": b""}
        members["001.jpg" if number else "002.jpg"] = encoded(number + 2, SIZE)
        write_tar(tmp_path / shard, members)
    store = ingested(tmp_path / "store", tmp_path / "00.tar", tmp_path / "01.tar")
    write_json(tmp_path / "boxes.json", results("000", "001"))
    edges, outcome = proposed(store, tmp_path / "boxes.json")
    assert edges == {"01/001": [20]}
    assert refused(store) == [("00/000", "ambiguous-id"), ("01/000", "ambiguous-id")]
    assert "2 refused" in outcome.summary[1]
    write_json(tmp_path / "only.json", results("000"))
    edges, outcome = proposed(store, tmp_path / "only.json")
    assert edges == {}
    assert outcome.empty is not None
    assert "could be several images each, such as '000'" in outcome.empty
    write_json(tmp_path / "exact.json", results("00/000", "01/000"))
    assert proposed(store, tmp_path / "exact.json")[0] == {"00/000": [10], "01/000": [20]}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (results("a.jpg", "b.jpg"), {"src/a.jpg": [10], "src/b.jpg": [20]}),
        (results("a", "b"), {"src/a.jpg": [10], "src/b.jpg": [20]}),
        (results("/data/src/a.jpg", "src\\b.jpg"), {"src/a.jpg": [10], "src/b.jpg": [20]}),
        (results("src/a.jpg", "x"), {"src/a.jpg": [10]}),
        ([{"file_name": "b.jpg", "bbox": [5, 5, 9, 9], "score": 0.5}], {"src/b.jpg": [5]}),
        ({"b.jpg": [[5, 5, 9, 9, 0.5]]}, {"src/b.jpg": [5]}),
        (
            {
                "image": {"image_id": 1, "width": 100, "height": 80, "file_name": "a.jpg"},
                "annotations": [{"bbox": [5, 5, 9, 9], "predicted_iou": 0.9, "area": 81}],
            },
            {"src/a.jpg": [5]},
        ),
        (
            [{"image_id": "a", "segmentation": [[5, 5, 14, 5, 14, 14]], "score": 0.5}],
            {"src/a.jpg": [5]},
        ),
    ],
)
def test_boxes_in_the_forms_that_tools_write(
    tmp_path: Path, content: Any, found: dict[str, list[float]]
) -> None:
    store = ingested(tmp_path / "store", write_pictures(tmp_path / "src", "a.jpg", "b.jpg"))
    write_json(tmp_path / "boxes.json", content)
    assert proposed(store, tmp_path / "boxes.json")[0] == found


def test_a_folder_of_labels_is_in_fractions_and_named_like_images(tmp_path: Path) -> None:
    store = ingested(tmp_path / "store", write_pictures(tmp_path / "src", "a.jpg", "b.jpg"))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2 0.9\n")
    edges, outcome = proposed(store, tmp_path / "labels")
    assert edges == {"src/a.jpg": [40]}
    assert outcome.summary[1] == (
        "1 of 2 images have boxes: 1 by file name without suffix; 1 has none"
    )


def test_boxes_of_other_images_say_so_with_an_example_of_each_side(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "val", "COCO_val2014_000000000042.jpg")
    store = ingested(tmp_path / "store", source)
    write_json(tmp_path / "boxes.json", results(42))
    edges, outcome = proposed(store, tmp_path / "boxes.json")
    assert edges == {}
    assert outcome.empty is not None
    assert (
        "boxes are keyed '42', images are named 'val/COCO_val2014_000000000042.jpg'"
        in outcome.empty
    )


def test_most_ids_without_an_image_are_a_loss(tmp_path: Path) -> None:
    store = ingested(tmp_path / "store", write_pictures(tmp_path / "src", "a.jpg"))
    write_json(tmp_path / "boxes.json", results("a.jpg", "b.jpg", "c.jpg"))
    _, outcome = proposed(store, tmp_path / "boxes.json")
    assert outcome.empty is None
    (loss,) = outcome.losses
    assert loss.startswith("2 of 3 ids of boxes.json got no image: boxes are keyed 'b.jpg'")


def test_bad_records_go_to_quarantine_once_though_there_are_many_parts(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "src", "a.jpg", "b.jpg", "c.jpg")
    store = ingested(tmp_path / "store", source, part_images=1)
    write_json(tmp_path / "boxes.json", [*results("a", "b", "c"), {"image_id": "a"}, 7])
    edges, outcome = proposed(store, tmp_path / "boxes.json")
    assert len(edges) == 3
    assert refused(store) == [
        ("boxes.json: record 3", "bad-row"),
        ("boxes.json: record 4", "bad-row"),
    ]
    assert "2 records of boxes.json not read" in outcome.summary


def test_boxes_that_cannot_be_pixels_are_refused_whatever_the_part(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "src", "a.jpg", "b.jpg")
    store = ingested(tmp_path / "store", source, part_images=1)
    boxes = [[0.1, 0.1, 0.5, 0.5], [0.25, 0.25, 0.5, 0.5]]
    write_json(
        tmp_path / "boxes.json",
        [{"image_id": i, "bbox": b, "score": 1} for i, b in zip("ab", boxes, strict=True)],
    )
    with pytest.raises(StageError, match="give --boxes normalised"):
        proposed(store, tmp_path / "boxes.json")
    edges, _ = proposed(store, tmp_path / "boxes.json", boxes="normalised")
    assert edges == {"src/a.jpg": [10], "src/b.jpg": [25]}


def test_a_limit_changes_no_match(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_pictures(tmp_path / "src" / folder, "a.jpg", "b.jpg")
    store = ingested(tmp_path / "store", tmp_path / "src")
    write_json(tmp_path / "boxes.json", results("a", "one/b.jpg"))
    whole, _ = proposed(store, tmp_path / "boxes.json")
    assert whole == {"src/one/b.jpg": [20]}
    assert proposed(store, tmp_path / "boxes.json", limit=1)[0] == {}


def test_quarantine_of_a_hostile_name_can_be_written(tmp_path: Path) -> None:
    store = ingested(tmp_path / "store", write_pictures(tmp_path / "src", "a.jpg"))
    text = '[{"image_id": "a", "bbox": [1, 1, 9, 9], "score": 1}, {"image_id": "\\ud800"}]'
    (tmp_path / "boxes.json").write_text(text)
    proposed(store, tmp_path / "boxes.json")
    (path,) = (store / "proposals").rglob("*quarantine.parquet")
    QUARANTINE.check(pq.read_table(path))
    assert json.loads(text)[1]["image_id"] == "\ud800"
