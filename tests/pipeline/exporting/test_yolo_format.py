"""Export to YOLO: boxes as fractions, and a data.yaml that holds any name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from PIL import Image

from pipeline.exporting import yolo_format
from pipeline.exporting.labelled_images import ExportRequest
from pipeline.exporting.labels import export_labels
from pipeline.exporting.yolo_format import YoloFormat
from tests.pipeline.exporting.labelled_store import HOSTILE, image_with_labels, labels

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_boxes_are_fractions_of_their_image(root: Path, tmp_path: Path) -> None:
    export_labels(root, tmp_path / "out", "yolo", ExportRequest(where="kept"), "link")
    told = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text("ascii"))
    names = [told["names"][place] for place in range(len(told["names"]))]
    assert names == ["dog", HOSTILE, "tree"]
    assert "path" not in told  # or trainers would look from where they were started
    for split in ("train", "val"):
        assert (tmp_path / "out" / told[split]).is_dir()
    found, scores = [], []
    for path in (tmp_path / "out" / "labels").rglob("*.txt"):
        scored = tmp_path / "out" / "scores" / path.parent.name / path.name
        scores += [float(line) for line in scored.read_text().splitlines()]
        picture = tmp_path / "out" / "images" / path.parent.name / f"{path.stem}.jpg"
        assert picture.is_symlink()
        with Image.open(picture) as opened:
            wide, high = opened.size
        for line in path.read_text().splitlines():
            k, x, y, w, _h = (float(word) for word in line.split())
            assert 0 <= x - w / 2 <= x + w / 2 <= 1 + 1e-6
            found.append((names[int(k)], round(x * wide), round(y * high), round(w * wide)))
    expected = [
        (r["concept"], round((r["x0"] + r["x1"]) / 2), round((r["y0"] + r["y1"]) / 2),
         round(r["x1"] - r["x0"]))
        for r in labels(root)
    ]  # fmt: skip
    assert len(found) == len(expected)
    wanted = sorted(row["probability"] for row in labels(root))
    assert sorted(scores) == pytest.approx(wanted, abs=1e-6)
    for mine, theirs in zip(sorted(found), sorted(expected), strict=True):
        assert mine[0] == theirs[0]
        assert mine[1:] == pytest.approx(theirs[1:], abs=1)


@pytest.mark.parametrize(
    "name", ["\U0001d56f\U0001f436", 'a "b" \\ c', "no", "a: b # c", "\x85\u2028\x7f\t", "é", "- x"]
)
def test_a_yaml_string_has_the_value_of_its_name(name: str) -> None:
    assert yaml.safe_load(f"0: {yolo_format._yaml_string(name)}") == {0: name}


def test_a_split_does_not_take_a_reserved_key() -> None:
    assert [yolo_format._split_key(name) for name in ("train", "names", "nc")] == [
        "train",
        "names_",
        "nc_",
    ]


@pytest.mark.parametrize(
    ("splits", "train", "val"),
    [(["train", "val"], "train", "val"), (["train"], "train", "train"), (["test"], "test", "test")],
)
def test_a_missing_split_is_replaced_by_another(
    tmp_path: Path, splits: list[str], train: str, val: str
) -> None:
    writer = YoloFormat(tmp_path, ["dog"], "none")
    for number, split in enumerate(splits, 1):
        writer.add(image_with_labels(number, [(0, 0.5, (0, 0, 1, 1))], split=split))
    writer.close()
    data = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert (data["train"], data["val"]) == (f"images/{train}", f"images/{val}")


def test_random_boxes_are_restored_from_their_fractions(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    corners = np.sort(rng.uniform(0, 60, (50, 2, 2)), axis=1).reshape(-1, 4)
    image = image_with_labels(5, [(0, 0.5, box) for box in corners.tolist()])
    writer = YoloFormat(tmp_path, ["dog"], "none")
    writer.add(image)
    rows = np.loadtxt(tmp_path / "labels" / "train" / "000000000005.txt")[:, 1:]
    centre, size = rows[:, :2] * [64, 60], rows[:, 2:] * [64, 60]
    actual = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    np.testing.assert_allclose(actual, corners, atol=1e-4)
