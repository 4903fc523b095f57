from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import OptionError
from stages.pixels import load_image
from stages.proposals.region_dump import DumpReader
from stages.proposals.selection import Selection
from stages.propose import Propose
from tests.stages.models.tiny_rpn import raw_boxes, tiny_rpn
from tests.stages.proposals.runs import pictures, pictures_and_network, run


@pytest.mark.slow
def test_proposals_are_the_selected_raw_boxes_of_the_network(tmp_path: Path) -> None:
    part = pictures_and_network(tmp_path)
    table = run(part, nms=0.6, top_k=20)
    select = Selection(nms=0.6, top_k=20)
    images = part.tables["images"].to_pylist()
    raw = raw_boxes(tiny_rpn(), [load_image(row) for row in images])
    for row, (boxes, logits) in zip(images, raw, strict=True):
        kept, indices = select(boxes, logits, (60, 48))
        proposals = table.filter(pa.compute.equal(table["image_id"], row["image_id"]))
        sides = [proposals[name].to_numpy() for name in ("x0", "y0", "x1", "y1")]
        np.testing.assert_array_equal(np.stack(sides, axis=1), kept)
        np.testing.assert_array_equal(proposals["objectness_logit"].to_numpy(), logits[indices])
        expected = 1 / (1 + np.exp(-logits[indices].astype(np.float64)))
        np.testing.assert_allclose(proposals["objectness"].to_numpy(), expected, rtol=1e-6)
    assert part.advanced == 5


@pytest.mark.slow
def test_the_dump_has_all_raw_boxes(tmp_path: Path) -> None:
    part = pictures_and_network(tmp_path)
    run(part, top_k=3, pre_nms=7)
    images = part.tables["images"].to_pylist()
    raw = raw_boxes(tiny_rpn(), [load_image(row) for row in images], pre_nms=7)
    with DumpReader(tmp_path / "h5") as dump:
        assert dump.kind == "logit"
        for row, expected, (image_id, boxes, logits) in zip(images, raw, dump, strict=True):
            assert image_id == row["image_id"]
            np.testing.assert_array_equal(boxes, expected[0])
            np.testing.assert_array_equal(logits, expected[1])
    assert part.notes["boxes"]["raw_boxes"] == sum(len(boxes) for boxes, _ in raw)


@pytest.mark.slow
def test_the_same_run_makes_the_same_bytes(tmp_path: Path) -> None:
    first, second = pictures_and_network(tmp_path / "a"), pictures_and_network(tmp_path / "b")
    assert run(first).equals(run(second))
    assert first.attach("h5").read_bytes() == second.attach("h5").read_bytes()
    assert first.notes == second.notes


@pytest.mark.slow
def test_selecting_from_a_dump_equals_selecting_at_once(tmp_path: Path) -> None:
    first = pictures_and_network(tmp_path / "a")
    run(first)
    expected = run(
        pictures_and_network(tmp_path / "b"), nms=0.3, top_k=4, min_size=8, min_objectness=0.4
    )
    again = pictures(tmp_path / "c", dump=first.folder / "h5")
    selected = run(again, select_only=True, nms=0.3, top_k=4, min_size=8, min_objectness=0.4)
    assert selected.equals(expected)
    assert not (again.folder / "h5").exists()
    assert again.notes["recall"]["objects"] == 15


def test_select_only_needs_a_dump(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="needs --dump proposals@"):
        run(pictures(tmp_path), select_only=True)


def test_rows_come_in_batches_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(pictures(tmp_path), random=True, regions=10)
    monkeypatch.setattr("stages.propose._ROWS", 15)
    batches = list(Propose(random=True, regions=10).run(pictures(tmp_path)))
    assert [batch.num_rows for batch in batches] == [20, 20, 10]
    assert pa.Table.from_batches(batches).equals(expected.combine_chunks())


def test_an_image_without_proposals_has_no_rows(tmp_path: Path) -> None:
    part = pictures_and_network(tmp_path)
    assert run(part, min_objectness=2.0).num_rows == 0
    assert part.refused == []
    with DumpReader(tmp_path / "h5") as dump:
        assert len(dump) == 5


def test_no_images_make_no_rows(tmp_path: Path) -> None:
    part = pictures_and_network(tmp_path, count=0)
    assert run(part).num_rows == 0
    assert "recall" not in part.notes
    with DumpReader(tmp_path / "h5") as dump:
        assert len(dump) == 0


def test_an_image_that_cannot_be_read_goes_to_quarantine(tmp_path: Path) -> None:
    part = pictures_and_network(tmp_path, count=3)
    table = part.tables["images"]
    content = table["content"].to_pylist()
    content[1] = content[1][:50]
    sizes = [len(c) for c in content]
    for name, values in (("content", content), ("num_bytes", sizes)):
        index = table.column_names.index(name)
        table = table.set_column(
            index, table.schema.field(name), pa.array(values, table.schema.field(name).type)
        )
    part.tables["images"] = table
    proposals = run(part, top_k=2)
    assert set(proposals["image_id"].to_pylist()) == {"tiny/000", "tiny/002"}
    assert [record[:2] for record in part.refused] == [("tiny/001", "unreadable")]
    assert part.advanced == 3
    with DumpReader(tmp_path / "h5") as dump:
        assert dump.image_ids == ["tiny/000", "tiny/002"]


@pytest.mark.parametrize("kind", ["random", "grid"])
def test_boxes_without_scores_of_their_own_are_not_suppressed(tmp_path: Path, kind: str) -> None:
    table = run(pictures(tmp_path), **{kind: True}, regions=400, nms=0.1, top_k=1)
    expected = {"random": 400, "grid": 385}[kind]  # 1 + 4 + ... + 100
    assert table.num_rows == 5 * expected
    assert set(table["objectness"].to_pylist()) == {1.0}
    assert run(pictures(tmp_path / "b"), **{kind: True}, regions=400).equals(table)


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
def test_only_the_inputs_that_the_options_need_are_read(
    options: dict[str, Any], roles: list[str]
) -> None:
    assert list(Propose(**options).requires()) == roles


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"random": True, "grid": True}, "--random and --grid exclude each other"),
        ({"from_file": Path("a"), "select_only": True}, "--from and --select-only exclude"),
        ({"boxes": "xyxy"}, "--boxes describes the file of --from; give that"),
        ({"random": True, "ids": "name"}, "--ids describes the file of --from; give that"),
        ({"pre_nms": 9, "grid": True}, "--pre-nms is for boxes of a network; leave it out with"),
        ({"resize": "800"}, "--resize is SHORTESTxLONGEST"),
        ({"nms": 0.0}, "--nms must be above 0"),
        ({"top_k": 0}, "--top-k must be at least 1"),
    ],
)
def test_impossible_options_are_refused_with_a_sentence(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(OptionError, match=f"rc propose: {sentence}"):
        Propose(**options)


@pytest.mark.slow
@pytest.mark.parametrize("resize", ["native", "none", "32x64"])
def test_boxes_are_in_pixels_of_the_original_image_at_any_size(tmp_path: Path, resize: str) -> None:
    table = run(pictures_and_network(tmp_path), resize=resize, nms=1.0, top_k=1000)
    assert table["x1"].to_numpy().max() == pytest.approx(60, abs=1)


@pytest.mark.slow
def test_select_only_suppresses_within_the_maps_of_the_dump(tmp_path: Path) -> None:
    part = pictures_and_network(tmp_path / "in")
    within_maps = run(part, nms=0.3)
    path = part.attach("h5")
    with DumpReader(path) as dump:
        levels = dump.levels(0)
        assert levels is not None
        assert len(np.unique(levels)) > 1
    again = pictures(tmp_path / "again", dump=path)
    assert run(again, select_only=True, nms=0.3).equals(within_maps)
    within_image = run(
        pictures(tmp_path / "more", dump=path), select_only=True, nms=0.3, nms_within="image"
    )
    assert len(within_image) < len(within_maps)
