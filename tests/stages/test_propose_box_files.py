from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import SourceError
from stages.proposals.recall import recall_and_ar100
from stages.proposals.region_dump import DumpWriter
from stages.propose import Propose
from tests.in_memory import InMemory
from tests.stages import squares
from tests.stages.proposals.runs import pictures, run, write_results

DATA = Path(__file__).parents[3] / "shared" / "data" / "coco_subset"


def test_boxes_of_another_localizer_keep_their_scores(tmp_path: Path) -> None:
    boxes = {"000": [[0, 0, 9, 9, 7.5], [30, 9, 9, 9, -2]], "tiny/002": [[1, 1, 5, 5, 0.5]]}
    path = write_results(tmp_path / "boxes.json", boxes | {"elsewhere": [[0, 0, 1, 1, 1]]})
    part = pictures(tmp_path)
    table = run(part, from_file=path, scores="score")
    assert table.select(["image_id", "region", "x1", "objectness"]).to_pylist() == [
        {"image_id": "tiny/000", "region": 0, "x1": 9.0, "objectness": 7.5},
        {"image_id": "tiny/000", "region": 1, "x1": 39.0, "objectness": -2.0},
        {"image_id": "tiny/002", "region": 0, "x1": 6.0, "objectness": 0.5},
    ]
    assert table["objectness_logit"].null_count == 3
    assert part.notes["localizer"]["ids_matched"] == 2
    assert part.notes["localizer"]["ids"] == 3
    assert part.notes["boxes"]["images_unknown"] == 3
    assert part.refused == []


def test_logits_of_another_localizer_become_probabilities(tmp_path: Path) -> None:
    with DumpWriter(tmp_path / "theirs.h5", "logit") as dump:
        dump.append("tiny/001", np.float32([[0, 0, 9, 9]]), np.float32([0.0]))
    (row,) = run(pictures(tmp_path), from_file=tmp_path / "theirs.h5").to_pylist()
    assert (row["objectness"], row["objectness_logit"]) == (0.5, 0.0)


def test_boxes_of_a_file_are_kept_exactly_and_in_their_order(tmp_path: Path) -> None:
    part = pictures(tmp_path / "in", 2)
    ids = part.tables["images"]["image_id"].to_pylist()
    rng = np.random.default_rng(0)
    width, height = (part.tables["images"][side][0].as_py() for side in ("width", "height"))
    corner = rng.uniform(0, min(width, height) / 2, (9, 2)).astype("f4")
    size = rng.uniform(1, min(width, height) / 2, (9, 2)).astype("f4")
    boxes = np.concatenate([corner, corner + size], axis=1)
    logits = np.float32([3, 3, 2, 2, 1, 0, -1, -1, -4])  # equal ones keep their order
    rows = [
        {"image_id": ids[0], "x0": b[0], "y0": b[1], "x1": b[2], "y1": b[3], "score": s}
        for b, s in zip(boxes.tolist(), logits.tolist(), strict=True)
    ]
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "boxes.parquet")
    proposals = run(part, from_file=tmp_path / "boxes.parquet", nms=1.0, top_k=1000, scores="logit")
    actual = np.stack([proposals[side].to_numpy() for side in ("x0", "y0", "x1", "y1")], axis=1)
    assert (actual == boxes).all()
    assert proposals["objectness_logit"].to_pylist() == logits.tolist()
    assert proposals["objectness"].to_numpy() == pytest.approx(1 / (1 + np.exp(-logits)), rel=1e-6)


def test_select_only_works_on_boxes_of_a_file(tmp_path: Path) -> None:
    boxes = {f"{n:03d}": [[n, n, 9, 9, 0.1 * k] for k in range(4)] for n in range(5)}
    path = write_results(tmp_path / "boxes.json", boxes)
    first = pictures(tmp_path / "a")
    assert run(first, from_file=path).num_rows == 5
    again = run(
        pictures(tmp_path / "b", dump=first.folder / "h5"), select_only=True, nms=1.0, top_k=3
    )
    assert again.num_rows == 15
    assert again["objectness_logit"].null_count == 15


def test_impossible_boxes_are_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(
        '[{"image_id": 0, "bbox": [NaN, 0, 5, 5], "score": 1},'
        '{"image_id": 0, "bbox": [0, 0, 1e99, 5], "score": 1},'
        '{"image_id": 0, "bbox": [0, 0, 0, 5], "score": 1},'
        '{"image_id": 0, "bbox": [0, 0, 5, 5], "score": Infinity},'
        '{"image_id": 0, "bbox": [3, 3, 999, 5], "score": 1}]'
    )
    part = pictures(tmp_path)
    (row,) = run(part, from_file=path).to_pylist()
    assert (row["x0"], row["x1"]) == (3.0, 60.0)
    assert part.notes["boxes"] == {
        "images": 5,
        "images_unknown": 4,
        "images_without_boxes": 0,
        "raw_boxes": 5,
        "boxes_not_finite": 3,
        "boxes_outside": 1,
        "boxes_cut": 1,
    }


def test_boxes_that_could_be_those_of_two_images_are_given_to_neither(tmp_path: Path) -> None:
    part = pictures(tmp_path, count=2)
    ids, uris = pa.array(["train/1", "val/1"]), pa.array(["/d/train/1.jpg", "/d/val/1.jpg"])
    for name, column in (("image_id", ids), ("uri", uris)):
        table = part.tables["images"]
        place = table.column_names.index(name)
        part.tables["images"] = table.set_column(place, table.schema.field(name), column)
    path = write_results(tmp_path / "boxes.json", {"1": [[0, 0, 5, 5, 1]]})
    assert run(part, from_file=path).num_rows == 0
    assert [record[:2] for record in part.refused] == [
        ("train/1", "ambiguous-id"),
        ("val/1", "ambiguous-id"),
    ]


def test_recall_compares_proposals_with_ground_truth(tmp_path: Path) -> None:
    def boxes_of(number: int, missing: int) -> list[list[float]]:
        boxes = [
            [o["x0"], o["y0"], o["x1"] - o["x0"], o["y1"] - o["y0"], 1.0]
            for o in squares.objects(number)
        ]
        return boxes[: 3 - missing]

    path = write_results(tmp_path / "boxes.json", {str(n): boxes_of(n, n % 2) for n in range(4)})
    part = pictures(tmp_path, count=5)
    run(part, from_file=path)
    note = part.notes["recall"]
    assert note == {"objects": 15, "hits_50": 10, "ar100_hits": [10] * 10}
    assert recall_and_ar100(note) == (pytest.approx(10 / 15), pytest.approx(10 / 15))


def test_a_box_file_is_identified_by_its_content(tmp_path: Path) -> None:
    first = write_results(tmp_path / "a.json", {"1": [[0, 0, 1, 1, 1]]})
    second = write_results(tmp_path / "b.json", {"1": [[0, 0, 1, 1, 1]]})
    assert Propose(from_file=first).recipe() == Propose(from_file=second).recipe()
    assert Propose(from_file=first).digests() == Propose(from_file=second).digests()
    write_results(second, {"1": [[0, 0, 1, 1, 2]]})
    assert Propose(from_file=first).digests() != Propose(from_file=second).digests()
    assert Propose().digests() == {}
    with pytest.raises(SourceError, match=r"none\.json"):
        Propose(from_file=tmp_path / "none.json").digests()


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs {DATA.relative_to(DATA.parents[2])}")
def test_a_real_localizer_has_its_known_recall(tmp_path: Path) -> None:
    truth = json.loads((DATA / "annotations" / "instances_val2017.json").read_text())
    objects: dict[int, list[squares.Object]] = {image["id"]: [] for image in truth["images"]}
    for a in truth["annotations"]:
        x, y, width, height = a["bbox"]
        box = squares.drawn([x, y, x + width, y + height], "thing", is_crowd=bool(a["iscrowd"]))
        objects[a["image_id"]].append(box)
    images = sorted(truth["images"], key=lambda image: image["id"])
    template = squares.images(range(1)).to_pylist()[0]
    rows = [
        {
            **template,
            "image_id": f"val2017/{image['id']:012d}",
            "width": image["width"],
            "height": image["height"],
            "objects": objects[image["id"]],
        }
        for image in images
    ]
    schema = squares.images(range(1)).schema
    part = InMemory({"images": pa.Table.from_pylist(rows, schema)}, tmp_path)
    batches = list(Propose(from_file=DATA / "proposals_yolox_nano_val2017.json", nms=0.7).run(part))
    assert part.notes["localizer"]["ids_matched"] == len(images)
    assert sum(batch.num_rows for batch in batches) > 32_000
    recall, average = recall_and_ar100(part.notes["recall"])
    assert recall == pytest.approx(0.72, abs=0.01)
    assert average == pytest.approx(0.44, abs=0.01)
