from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import SourceError
from stages.proposals.localizers import LocalizerBoxes, as_number, open_localizer
from stages.proposals.region_dump import DumpWriter
from tests.stages.proposals import box_files
from tests.stages.proposals.box_files import CORNERS, RECORDS, SCORES, write_ids, write_records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    "write",
    [
        box_files.in_json,
        box_files.in_parquet,
        box_files.in_parquet_corners,
        box_files.in_hdf5,
    ],
)
def test_every_format_gives_the_same_boxes(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    localizer = open_localizer(write(tmp_path))
    index = localizer.find("coco/val2017/000000000139.jpg")
    assert index is not None
    boxes, scores = localizer.boxes(index)
    np.testing.assert_array_equal(boxes, np.float32(CORNERS))
    np.testing.assert_array_equal(scores, np.float32(SCORES))
    assert boxes.dtype == scores.dtype == np.float32
    assert localizer.kind == "score"


@pytest.mark.parametrize(
    ("file_id", "image_id", "matches"),
    [
        ("val2017/139", "val2017/139", True),
        ("000000000139", "val2017/000000000139", True),
        ("000000000139.jpg", "val2017/000000000139.jpg", True),
        ("139", "a/b/000000000139.jpg", True),
        ("000000000139", "val2017/139", True),
        ("dog.jpg", "folder/dog.jpg", True),
        ("1390", "val2017/139", False),
        ("dog", "folder/hotdog", False),
        ("folder/dog", "dog", False),
        ("139", "139.tar.gz", False),
        ("139", "val2017/", False),
    ],
)
def test_ids_match_by_their_last_name_or_number(
    tmp_path: Path, file_id: str, image_id: str, matches: bool
) -> None:
    localizer = open_localizer(write_ids(tmp_path / "boxes.json", [file_id]))
    assert (localizer.find(image_id) is not None) == matches


def test_the_exact_id_comes_before_the_last_name_and_the_number(tmp_path: Path) -> None:
    localizer = open_localizer(write_ids(tmp_path / "boxes.json", ["7", "007", "a/007"]))
    assert [localizer.find(i) for i in ("a/007", "b/007", "b/7")] == [2, 1, 0]
    assert localizer.find("b/00007") is None  # the number 7 could be "7" or "007"


def test_three_ids_of_one_number_are_ambiguous_too(tmp_path: Path) -> None:
    localizer = open_localizer(write_ids(tmp_path / "boxes.json", ["7", "07", "007", "8"]))
    assert localizer.find("0007") is None
    assert localizer.find("0008") == 3
    assert len(localizer) == 4


@pytest.mark.parametrize(
    ("image_id", "number"),
    [("0", 0), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("-1", None), ("7.", None), ("", None)],
)
def test_a_number_has_at_most_eighteen_digits_and_a_suffix_of_letters(
    image_id: str, number: int | None
) -> None:
    assert as_number(image_id) == number


def test_digits_of_other_scripts_are_not_a_number() -> None:
    assert as_number("\u0661\u0662") is None


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write_records(tmp_path / "boxes.json", RECORDS)
    first = open_localizer(path)
    assert len(first) == 2
    assert open_localizer(path) is first
    write_records(path, RECORDS[:1])
    assert len(open_localizer(path)) == 1


def test_a_dump_of_logits_keeps_its_kind(tmp_path: Path) -> None:
    with DumpWriter(tmp_path / "boxes.hdf5", "logit") as dump:
        dump.append("a", np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    localizer = open_localizer(tmp_path / "boxes.hdf5")
    assert localizer.kind == "logit"
    assert localizer.boxes(0)[0].shape == (0, 4)


def test_any_object_with_ids_and_boxes_is_a_box_file() -> None:
    class TwoImages:
        ids = ("a", "b/7")

        def boxes(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return np.full((1, 4), index, np.float32), np.ones(1, np.float32)

    localizer = LocalizerBoxes(TwoImages(), "score")
    assert (localizer.find("x/a"), localizer.find("b/7"), localizer.find("7")) == (0, 1, None)
    assert localizer.boxes(1)[0].tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gone.json", r"gone\.json: no such file of boxes; check the path given to --from"),
        ("boxes.csv", r"boxes\.csv: boxes are read from \.json, \.parquet and \.h5 files"),
        ("boxes.parquet", r"boxes\.parquet: not a readable Parquet file of boxes"),
    ],
)
def test_a_missing_or_unknown_file_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "boxes.csv").write_text("image_id,x0")
    (tmp_path / "boxes.parquet").write_text("PAR1")
    with pytest.raises(SourceError, match=sentence):
        open_localizer(tmp_path / name)
