from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.errors import SourceError
from stages.proposals.box_file import LocalizerOptions
from stages.proposals.localizers import LocalizerBoxes, open_boxes, open_localizer
from stages.proposals.region_dump import DumpWriter
from tests.stages.proposals import box_files
from tests.stages.proposals.box_files import CORNERS, RECORDS, SCORES, image_rows, write_records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa


def opened(path: Path, images: pa.Table | None = None, **options: Any) -> LocalizerBoxes:
    """The boxes of a file for an image 000000000139.jpg, 100 x 80 pixels."""
    images = image_rows(["val2017/000000000139.jpg"]) if images is None else images
    return open_localizer(LocalizerOptions(path, **options), "", images.to_batches)


def boxes_of(localizer: LocalizerBoxes, images: pa.Table | None = None) -> list[list[float]]:
    """Corners of the boxes of the first image."""
    images = image_rows(["val2017/000000000139.jpg"]) if images is None else images
    row = images.to_pylist()[0]
    place = localizer.find(row)
    assert place is not None
    return localizer.boxes(place[0], row)[0].tolist()  # type: ignore[no-any-return]


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
    localizer = opened(write(tmp_path))
    row = image_rows(["val2017/000000000139.jpg"]).to_pylist()[0]
    place = localizer.find(row)
    assert place is not None
    boxes, scores = localizer.boxes(place[0], row)
    np.testing.assert_array_equal(boxes, np.float32(CORNERS))
    np.testing.assert_array_equal(scores, np.float32(SCORES))
    assert boxes.dtype == scores.dtype == np.float32
    assert (localizer.kind, place[1]) == ("score", "number in the file name")


def results(path: Path, boxes: list[list[float]], score: float | None = 0.5) -> Path:
    """COCO results of image 139."""
    scores = {} if score is None else {"score": score}
    return write_records(path, [{"image_id": 139, "bbox": box, **scores} for box in boxes])


def test_fractions_are_refused_until_the_user_says_so(tmp_path: Path) -> None:
    path = results(tmp_path / "boxes.json", [[0.1, 0.1, 0.5, 0.25], [0.5, 0.5, 0.5, 0.5]])
    with pytest.raises(SourceError, match=r"2 of 2 boxes are within .* give --boxes normalised"):
        opened(path)
    expected = [[10, 8, 60, 28], [50, 40, 100, 80]]
    np.testing.assert_allclose(boxes_of(opened(path, boxes="normalised")), expected, rtol=1e-6)
    assert len(boxes_of(opened(path, boxes="xywh"))) == 2


def test_fractions_of_corners_are_found_out(tmp_path: Path) -> None:
    path = results(tmp_path / "boxes.json", [[0.5, 0.5, 0.75, 0.75], [0.6, 0.25, 1, 1]])
    expected = [[50, 40, 75, 60], [60, 20, 100, 80]]
    np.testing.assert_allclose(boxes_of(opened(path, boxes="normalised")), expected, rtol=1e-6)


def test_corners_in_place_of_sizes_are_refused_until_the_user_says_so(tmp_path: Path) -> None:
    path = results(tmp_path / "boxes.json", [[60, 50, 90, 70], [10, 10, 20, 20]])
    with pytest.raises(SourceError, match=r"1 of 2 boxes leave their images; .* --boxes xyxy"):
        opened(path)
    assert boxes_of(opened(path, boxes="xyxy")) == [[60, 50, 90, 70], [10, 10, 20, 20]]
    assert boxes_of(opened(path, boxes="xywh"))[1] == [10, 10, 30, 30]


def test_columns_of_corners_are_read_as_sizes_if_the_user_says_so(tmp_path: Path) -> None:
    path = box_files.in_hdf5(tmp_path)
    assert boxes_of(opened(path, boxes="xywh")) == [[10, 20, 50, 80], [1, 2, 5, 8]]


def test_scores_in_percent_are_refused_until_the_user_says_what_they_are(tmp_path: Path) -> None:
    path = results(tmp_path / "boxes.json", [[10, 10, 20, 20]], score=87.5)
    with pytest.raises(SourceError, match=r"scores are between 87\.5 and 87\.5, .*percent"):
        opened(path)
    row = image_rows(["val2017/000000000139.jpg"]).to_pylist()[0]
    for option, kind, score in (
        ("percent", "score", 0.875),
        ("score", "score", 87.5),
        ("logit", "logit", 87.5),
    ):
        localizer = opened(path, scores=option)
        assert (localizer.kind, localizer.boxes(0, row)[1].tolist()) == (kind, [score])


@pytest.mark.parametrize("score", [-3.5, 12.25, 250.0])
def test_raw_logits_are_refused_until_the_user_says_what_they_are(
    tmp_path: Path, score: float
) -> None:
    path = results(tmp_path / "boxes.json", [[10, 10, 20, 20]], score=score)
    with pytest.raises(SourceError, match=r"so they are no probabilities; .*--scores logit") as no:
        opened(path)
    assert ("percent" in str(no.value)) == (0 <= score <= 100)
    assert opened(path, scores="logit").kind == "logit"


@pytest.mark.parametrize("score", [0.0, 1.0, 1.04])
def test_probabilities_and_estimated_ious_are_kept(tmp_path: Path, score: float) -> None:
    localizer = opened(results(tmp_path / "boxes.json", [[10, 10, 20, 20]], score=score))
    row = image_rows(["val2017/000000000139.jpg"]).to_pylist()[0]
    assert localizer.boxes(0, row)[1].tolist() == [np.float32(score)]


def test_labels_of_yolo_are_fractions_of_each_image(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "000000000139.txt").write_text("0 0.5 0.5 0.5 0.5 0.75\n")
    assert boxes_of(opened(tmp_path)) == [[25, 20, 75, 60]]
    (tmp_path / "labels" / "000000000139.txt").write_text("0 50 40 50 40 0.75\n")
    with pytest.raises(SourceError, match=r"1 of 1 boxes are not within \[0, 1\]"):
        opened(tmp_path)


def test_boxes_of_a_file_that_fits_no_image_are_not_judged(tmp_path: Path) -> None:
    path = write_records(tmp_path / "b.json", [{"image_id": 3, "bbox": [0, 0, 1, 1], "score": 99}])
    localizer = opened(path)
    assert (localizer.matching.unmatched, localizer.matching.example) == (
        1,
        ("3", "val2017/000000000139.jpg"),
    )


def test_the_last_file_is_kept_until_it_or_the_images_or_the_options_change(
    tmp_path: Path,
) -> None:
    path = write_records(tmp_path / "boxes.json", RECORDS)
    images = image_rows(["val2017/000000000139.jpg"])

    def again(key: str = "images", **options: Any) -> LocalizerBoxes:
        return open_localizer(LocalizerOptions(path, **options), key, images.to_batches)

    first = again()
    assert again() is first
    assert again("others") is not first
    second = again(ids="name")
    assert second is not first
    write_records(path, RECORDS[:1])
    assert len(again(ids="name").file.keys) == 1


def test_a_dump_of_logits_keeps_its_kind(tmp_path: Path) -> None:
    with DumpWriter(tmp_path / "boxes.hdf5", "logit") as dump:
        dump.append("a.jpg", np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    images = image_rows(["a.jpg"])
    localizer = opened(tmp_path / "boxes.hdf5", images)
    assert localizer.kind == "logit"
    assert boxes_of(localizer, images) == []


@pytest.mark.parametrize("layout", ["xywh", "xyxy"])
def test_the_judgement_sees_every_box_of_a_large_dump(tmp_path: Path, layout: str) -> None:
    with DumpWriter(tmp_path / "boxes.h5", "score") as dump:
        for number in range(5):
            boxes = np.tile(np.float32([[1, 2, 30, 40]]), (number, 1))
            dump.append(f"{number}.jpg", boxes, np.ones(number, np.float32))
    images = image_rows([f"{number}.jpg" for number in range(5)])
    assert opened(tmp_path / "boxes.h5", images, boxes=layout).in_file == 10


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gone.json", r"gone\.json: no such file of boxes; check the path given to --from"),
        ("boxes.csv", r"boxes are read from \.json, .* not from \.csv"),
        ("results.pkl", r"boxes are read from \.json, .* not from \.pkl"),
        ("boxes.parquet", r"cannot read .*boxes\.parquet as Parquet"),
    ],
)
def test_a_missing_or_unknown_file_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "boxes.csv").write_text("image_id,x0")
    (tmp_path / "results.pkl").write_bytes(b"\x80\x04.")
    (tmp_path / "boxes.parquet").write_text("PAR1")
    with pytest.raises(SourceError, match=sentence):
        opened(tmp_path / name)


def test_a_file_may_be_read_in_the_layout_of_the_format_or_in_another(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps([{"image_id": 1, "bbox": [1, 2, 3, 4]}]))
    assert open_boxes(tmp_path / "b.json", "", None).boxes(0)[0].tolist() == [[1, 2, 4, 6]]
    assert open_boxes(tmp_path / "b.json", "", "xyxy").boxes(0)[0].tolist() == [[1, 2, 3, 4]]
