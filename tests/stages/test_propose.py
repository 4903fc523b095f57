from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import OptionError, SourceError
from schemas.proposals import PROPOSALS
from stages.pixels import load_image
from stages.proposals.batches import logit, probability
from stages.proposals.recall import shares
from stages.proposals.region_dump import DumpReader, DumpWriter
from stages.proposals.selection import Selection
from stages.propose import Propose
from tests.in_memory import InMemory
from tests.stages import squares
from tests.stages.models.tiny_rpn import raw_boxes, saved, tiny_rpn

DATA = Path(__file__).parents[3] / "shared" / "data" / "coco_subset"


def part(folder: Path, count: int = 5, **files: Path) -> InMemory:
    """One part of pictures, with attachments of other inputs by role_name."""
    folder.mkdir(parents=True, exist_ok=True)
    return InMemory({"images": squares.images(range(count))}, folder, files=dict(_keys(files)))


def _keys(files: dict[str, Path]) -> Any:
    names = {"config": ("rpn", "model.json"), "weights": ("rpn", "weights.safetensors")}
    return ((names.get(k, ("dump", "h5")), path) for k, path in files.items())


def network(folder: Path, count: int = 5) -> InMemory:
    folder.mkdir(parents=True, exist_ok=True)
    config, weights = saved(tiny_rpn(), folder)
    return part(folder, count, config=config, weights=weights)


def run(where: InMemory, **options: Any) -> pa.Table:
    batches = list(Propose(device="cpu", threads=1, **options).run(where))
    for batch in batches:
        PROPOSALS.check(batch)
    table = pa.Table.from_batches(batches)
    check_rows(table, where.tables["images"])
    return table


def check_rows(table: pa.Table, images: pa.Table) -> None:
    """What every reader of proposals may count on."""
    size = {row["image_id"]: (row["width"], row["height"]) for row in images.to_pylist()}
    rows = table.to_pylist()
    keys = [(row["image_id"], row["region"]) for row in rows]
    assert keys == sorted(keys)
    for image_id in set(table["image_id"].to_pylist()):
        mine = [row for row in rows if row["image_id"] == image_id]
        assert [row["region"] for row in mine] == list(range(len(mine)))
        scores = [row["objectness"] for row in mine]
        assert scores == sorted(scores, reverse=True)
    for row in rows:
        width, height = size[row["image_id"]]
        assert 0 <= row["x0"] < row["x1"] <= width
        assert 0 <= row["y0"] < row["y1"] <= height


def file_bytes(where: InMemory) -> bytes:
    return (where.folder / "h5").read_bytes()


def write_json(path: Path, boxes: dict[str, list[list[float]]]) -> Path:
    """COCO results: x, y, width, height, score of each box of each image."""
    records = [
        {"image_id": image_id, "bbox": box[:4], "score": box[4]}
        for image_id, mine in boxes.items()
        for box in mine
    ]
    path.write_text(json.dumps(records))
    return path


def test_a_network_proposes_what_selection_keeps_of_its_raw_boxes(tmp_path: Path) -> None:
    where = network(tmp_path)
    table = run(where, nms=0.6, top_k=20)
    select = Selection(nms=0.6, top_k=20)
    images = where.tables["images"].to_pylist()
    raw = raw_boxes(tiny_rpn(), [load_image(row) for row in images])
    for row, (boxes, logits) in zip(images, raw, strict=True):
        kept, places = select(boxes, logits, (60, 48))
        mine = table.filter(pa.compute.equal(table["image_id"], row["image_id"]))
        found = np.stack([mine[c].to_numpy() for c in ("x0", "y0", "x1", "y1")], axis=1)
        np.testing.assert_array_equal(found, kept)
        np.testing.assert_array_equal(mine["objectness_logit"].to_numpy(), logits[places])
        expected = 1 / (1 + np.exp(-logits[places].astype(np.float64)))
        np.testing.assert_allclose(mine["objectness"].to_numpy(), expected, rtol=1e-6)
    assert where.advanced == 5


def test_the_dump_holds_all_raw_boxes(tmp_path: Path) -> None:
    where = network(tmp_path)
    run(where, top_k=3, pre_nms=7)
    images = where.tables["images"].to_pylist()
    raw = raw_boxes(tiny_rpn(), [load_image(row) for row in images], pre_nms=7)
    with DumpReader(tmp_path / "h5") as dump:
        assert dump.kind == "logit"
        for row, mine, (image_id, boxes, logits) in zip(images, raw, dump, strict=True):
            assert image_id == row["image_id"]
            np.testing.assert_array_equal(boxes, mine[0])
            np.testing.assert_array_equal(logits, mine[1])
    assert where.notes["boxes"]["raw_boxes"] == sum(len(boxes) for boxes, _ in raw)


def test_the_same_run_makes_the_same_bytes(tmp_path: Path) -> None:
    one, other = network(tmp_path / "a"), network(tmp_path / "b")
    assert run(one).equals(run(other))
    assert file_bytes(one) == file_bytes(other)
    assert one.notes == other.notes


def test_selecting_anew_equals_selecting_at_once(tmp_path: Path) -> None:
    first = network(tmp_path / "a")
    run(first)
    expected = run(network(tmp_path / "b"), nms=0.3, top_k=4, min_size=8, min_objectness=0.4)
    again = part(tmp_path / "c", dump=first.folder / "h5")
    found = run(again, select_only=True, nms=0.3, top_k=4, min_size=8, min_objectness=0.4)
    assert found.equals(expected)
    assert not (again.folder / "h5").exists()
    assert again.notes["recall"]["objects"] == 15


def test_selecting_anew_needs_a_dump(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="needs --dump proposals@"):
        run(part(tmp_path), select_only=True)


def test_rows_come_in_batches_without_losing_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(part(tmp_path), random=True, regions=10)
    monkeypatch.setattr("stages.propose._ROWS", 15)
    batches = list(Propose(random=True, regions=10).run(part(tmp_path)))
    assert [batch.num_rows for batch in batches] == [20, 20, 10]
    assert pa.Table.from_batches(batches).equals(expected.combine_chunks())


def test_boxes_of_another_localizer_keep_their_own_scores(tmp_path: Path) -> None:
    boxes = {"000": [[0, 0, 9, 9, 7.5], [30, 9, 9, 9, -2]], "tiny/002": [[1, 1, 5, 5, 0.5]]}
    path = write_json(tmp_path / "boxes.json", boxes | {"elsewhere": [[0, 0, 1, 1, 1]]})
    where = part(tmp_path)
    table = run(where, from_file=path)
    assert table.select(["image_id", "region", "x1", "objectness"]).to_pylist() == [
        {"image_id": "tiny/000", "region": 0, "x1": 9.0, "objectness": 7.5},
        {"image_id": "tiny/000", "region": 1, "x1": 39.0, "objectness": -2.0},
        {"image_id": "tiny/002", "region": 0, "x1": 6.0, "objectness": 0.5},
    ]
    assert table["objectness_logit"].null_count == 3
    assert (where.notes["ids_matched"], where.notes["ids_in_file"]) == (2, 3)
    assert where.notes["boxes"]["images_without_boxes"] == 3
    assert where.refused == []


def test_logits_of_another_localizer_become_probabilities(tmp_path: Path) -> None:
    with DumpWriter(tmp_path / "theirs.h5", "logit") as dump:
        dump.append("tiny/001", np.float32([[0, 0, 9, 9]]), np.float32([0.0]))
    (row,) = run(part(tmp_path), from_file=tmp_path / "theirs.h5").to_pylist()
    assert (row["objectness"], row["objectness_logit"]) == (0.5, 0.0)


def test_an_import_can_be_selected_from_anew(tmp_path: Path) -> None:
    boxes = {f"{n:03d}": [[n, n, 9, 9, 0.1 * k] for k in range(4)] for n in range(5)}
    path = write_json(tmp_path / "boxes.json", boxes)
    first = part(tmp_path / "a")
    assert run(first, from_file=path).num_rows == 5
    again = run(part(tmp_path / "b", dump=first.folder / "h5"), select_only=True, nms=1.0, top_k=3)
    assert again.num_rows == 15
    assert again["objectness_logit"].null_count == 15


def test_nonsense_boxes_are_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(
        '[{"image_id": 0, "bbox": [NaN, 0, 5, 5], "score": 1},'
        '{"image_id": 0, "bbox": [0, 0, 1e99, 5], "score": 1},'
        '{"image_id": 0, "bbox": [0, 0, 0, 5], "score": 1},'
        '{"image_id": 0, "bbox": [0, 0, 5, 5], "score": Infinity},'
        '{"image_id": 0, "bbox": [3, 3, 999, 5], "score": 1}]'
    )
    where = part(tmp_path)
    (row,) = run(where, from_file=path).to_pylist()
    assert (row["x0"], row["x1"]) == (3.0, 60.0)
    assert where.notes["boxes"] == {
        "raw_boxes": 5,
        "boxes_not_finite": 3,
        "images_without_boxes": 4,
    }


def test_an_image_without_proposals_has_no_rows(tmp_path: Path) -> None:
    where = network(tmp_path)
    assert run(where, min_objectness=2.0).num_rows == 0
    assert where.refused == []
    with DumpReader(tmp_path / "h5") as dump:
        assert len(dump) == 5


def test_no_images_make_no_rows(tmp_path: Path) -> None:
    where = network(tmp_path, count=0)
    assert run(where).num_rows == 0
    assert "recall" not in where.notes
    with DumpReader(tmp_path / "h5") as dump:
        assert len(dump) == 0


def test_images_of_the_same_name_are_refused_after_the_first(tmp_path: Path) -> None:
    where = part(tmp_path, count=2)
    where.tables["images"] = where.tables["images"].set_column(
        0, where.tables["images"].schema.field(0), pa.array(["train/1", "val/1"])
    )
    path = write_json(tmp_path / "boxes.json", {"1": [[0, 0, 5, 5, 1]]})
    assert run(where, from_file=path)["image_id"].to_pylist() == ["train/1"]
    assert [record[:2] for record in where.refused] == [("val/1", "ambiguous-id")]


def test_an_image_that_cannot_be_read_goes_to_quarantine(tmp_path: Path) -> None:
    where = network(tmp_path, count=3)
    table = where.tables["images"]
    content = table["content"].to_pylist()
    content[1] = content[1][:50]
    sizes = [len(c) for c in content]
    for name, values in (("content", content), ("num_bytes", sizes)):
        place = table.column_names.index(name)
        table = table.set_column(
            place, table.schema.field(name), pa.array(values, table.schema.field(name).type)
        )
    where.tables["images"] = table
    found = run(where, top_k=2)
    assert set(found["image_id"].to_pylist()) == {"tiny/000", "tiny/002"}
    assert [record[:2] for record in where.refused] == [("tiny/001", "unreadable")]
    assert where.advanced == 3
    with DumpReader(tmp_path / "h5") as dump:
        assert dump.image_ids == ["tiny/000", "tiny/002"]


@pytest.mark.parametrize("kind", ["random", "grid"])
def test_boxes_nobody_scored_are_not_suppressed(tmp_path: Path, kind: str) -> None:
    table = run(part(tmp_path), **{kind: True}, regions=400, nms=0.1, top_k=1)
    expected = {"random": 400, "grid": 385}[kind]  # 1 + 4 + ... + 100
    assert table.num_rows == 5 * expected
    assert set(table["objectness"].to_pylist()) == {1.0}
    assert run(part(tmp_path / "b"), **{kind: True}, regions=400).equals(table)


def test_recall_is_of_the_proposals_against_what_people_drew(tmp_path: Path) -> None:
    def boxes_of(number: int, spare: int) -> list[list[float]]:
        found = [
            [o["x0"], o["y0"], o["x1"] - o["x0"], o["y1"] - o["y0"], 1.0]
            for o in squares.objects(number)
        ]
        return found[: 3 - spare]

    path = write_json(tmp_path / "boxes.json", {str(n): boxes_of(n, n % 2) for n in range(4)})
    where = part(tmp_path, count=5)
    run(where, from_file=path)
    note = where.notes["recall"]
    assert note == {"objects": 12, "hits_50": 10, "ar100_hits": [10] * 10}
    assert shares(note) == (pytest.approx(10 / 12), pytest.approx(10 / 12))


@pytest.mark.parametrize(
    ("options", "roles"),
    [
        ({}, ["images", "rpn"]),
        ({"random": True}, ["images"]),
        ({"grid": True}, ["images"]),
        ({"from_file": Path("boxes.json")}, ["images"]),
        ({"select_only": True}, ["images", "dump"]),
    ],
)
def test_only_what_is_needed_is_read(options: dict[str, Any], roles: list[str]) -> None:
    assert list(Propose(**options).requires()) == roles


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"random": True, "grid": True}, "--random and --grid exclude each other"),
        ({"from_file": Path("a"), "select_only": True}, "--from and --select-only exclude"),
        ({"resize": "800"}, "--resize is SHORTESTxLONGEST"),
        ({"nms": 0.0}, "--nms must be above 0"),
        ({"top_k": 0}, "--top-k must be at least 1"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError, match=f"rc propose: {complaint}"):
        Propose(**options)


def test_an_import_counts_by_its_content(tmp_path: Path) -> None:
    one = write_json(tmp_path / "a.json", {"1": [[0, 0, 1, 1, 1]]})
    other = write_json(tmp_path / "b.json", {"1": [[0, 0, 1, 1, 1]]})
    assert Propose(from_file=one).recipe() == Propose(from_file=other).recipe()
    assert Propose(from_file=one).digests() == Propose(from_file=other).digests()
    write_json(other, {"1": [[0, 0, 1, 1, 2]]})
    assert Propose(from_file=one).digests() != Propose(from_file=other).digests()
    assert Propose().digests() == {}
    with pytest.raises(SourceError, match=r"none\.json"):
        Propose(from_file=tmp_path / "none.json").digests()


@pytest.mark.parametrize("resize", ["native", "none", "32x64"])
def test_the_size_decides_the_boxes_and_they_fit_the_original(tmp_path: Path, resize: str) -> None:
    table = run(network(tmp_path), resize=resize, nms=1.0, top_k=1000)
    assert table["x1"].to_numpy().max() == pytest.approx(60, abs=1)


def test_probability_and_logit_are_inverse_and_never_overflow() -> None:
    values = np.linspace(-30, 15, 100).astype(np.float32)
    exact = 1 / (1 + np.exp(-values.astype(np.float64)))
    np.testing.assert_allclose(probability(values), exact, rtol=1e-6)
    assert [logit(p) for p in (-1, 0, 1, 2)] == [-np.inf, -np.inf, np.inf, np.inf]
    assert [float(probability(np.float32([logit(p)]))[0]) for p in (0.1, 0.9)] == [
        pytest.approx(0.1),
        pytest.approx(0.9),
    ]


@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs {DATA.relative_to(DATA.parents[2])}")
def test_a_real_localizer_recalls_what_it_is_known_to(tmp_path: Path) -> None:
    truth = json.loads((DATA / "annotations" / "instances_val2017.json").read_text())
    drawn: dict[int, list[squares.Object]] = {image["id"]: [] for image in truth["images"]}
    for a in truth["annotations"]:
        x, y, width, height = a["bbox"]
        box = squares.drawn([x, y, x + width, y + height], "thing", is_crowd=bool(a["iscrowd"]))
        drawn[a["image_id"]].append(box)
    images = sorted(truth["images"], key=lambda image: image["id"])
    template = squares.images(range(1)).to_pylist()[0]
    rows = [
        {
            **template,
            "image_id": f"val2017/{image['id']:012d}",
            "width": image["width"],
            "height": image["height"],
            "objects": drawn[image["id"]],
        }
        for image in images
    ]
    schema = squares.images(range(1)).schema
    where = InMemory({"images": pa.Table.from_pylist(rows, schema)}, tmp_path)
    batches = list(
        Propose(from_file=DATA / "proposals_yolox_nano_val2017.json", nms=0.7).run(where)
    )
    assert where.notes["ids_matched"] == len(images)
    assert sum(batch.num_rows for batch in batches) > 32_000
    recall, average = shares(where.notes["recall"])
    assert recall == pytest.approx(0.72, abs=0.01)
    assert average == pytest.approx(0.44, abs=0.01)


def test_boxes_of_others_are_kept_exactly_and_in_their_order(tmp_path: Path) -> None:
    where = part(tmp_path / "in", 2)
    ids = where.tables["images"]["image_id"].to_pylist()
    draw = np.random.default_rng()
    wide, high = (where.tables["images"][side][0].as_py() for side in ("width", "height"))
    corner = draw.uniform(0, min(wide, high) / 2, (9, 2)).astype("f4")
    size = draw.uniform(1, min(wide, high) / 2, (9, 2)).astype("f4")
    boxes = np.concatenate([corner, corner + size], axis=1)
    logits = np.float32([3, 3, 2, 2, 1, 0, -1, -1, -4])  # equal ones keep their order
    rows = [
        {"image_id": ids[0], "x0": b[0], "y0": b[1], "x1": b[2], "y1": b[3], "score": s}
        for b, s in zip(boxes.tolist(), logits.tolist(), strict=True)
    ]
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "boxes.parquet")
    found = run(where, from_file=tmp_path / "boxes.parquet", nms=1.0, top_k=1000, scores="logit")
    told = np.stack([found[side].to_numpy() for side in ("x0", "y0", "x1", "y1")], axis=1)
    assert (told == boxes).all()
    assert found["objectness_logit"].to_pylist() == logits.tolist()
    assert found["objectness"].to_numpy() == pytest.approx(1 / (1 + np.exp(-logits)), rel=1e-6)


def test_a_dump_of_a_network_says_which_map_and_is_selected_from_by_it(tmp_path: Path) -> None:
    where = network(tmp_path / "in")
    within = run(where, nms=0.3)
    path = where.attach("h5")
    with DumpReader(path) as dump:
        levels = dump.levels(0)
        assert levels is not None
        assert len(np.unique(levels)) > 1
    again = part(tmp_path / "again", dump=path)
    assert run(again, select_only=True, nms=0.3).equals(within)
    together = run(
        part(tmp_path / "more", dump=path), select_only=True, nms=0.3, nms_within="image"
    )
    assert len(together) < len(within)
