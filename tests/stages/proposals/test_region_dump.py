from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from schemas.errors import SourceError
from stages.proposals.region_dump import DumpReader, DumpWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def boxes(count: int, seed: int = 0) -> Any:
    corners = np.random.default_rng(seed).uniform(0, 100, (count, 2, 2)).astype(np.float32)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1) + 1], axis=1)


def write(path: Path, counts: list[int]) -> None:
    with DumpWriter(path, "logit") as dump:
        for k, count in enumerate(counts):
            dump.append(f"bücher/{k}", boxes(count, k), np.arange(count, dtype=np.float32))


@pytest.mark.parametrize("counts", [[], [0], [3], [2, 0, 5], [4096, 1], [3000, 3000, 9000, 0]])
def test_a_dump_is_read_back_as_it_was_written(tmp_path: Path, counts: list[int]) -> None:
    write(tmp_path / "a.h5", counts)
    with DumpReader(tmp_path / "a.h5") as dump:
        assert dump.kind == "logit"
        assert len(dump) == len(counts)
        for k, (image_id, read_boxes, objectness) in enumerate(dump):
            assert image_id == f"bücher/{k}"
            np.testing.assert_array_equal(read_boxes, boxes(counts[k], k))
            np.testing.assert_array_equal(objectness, np.arange(counts[k]))
            assert read_boxes.dtype == objectness.dtype == np.float32


@pytest.mark.slow
def test_equal_appends_make_equal_bytes_in_another_process_too(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", [3000, 3000, 0])
    code = (
        "import sys, pathlib; from tests.stages.proposals.test_region_dump import write;"
        "write(pathlib.Path(sys.argv[1]), [3000, 3000, 0])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "b.h5")], check=True)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_dump_after_an_error_is_not_accepted_by_a_reader(tmp_path: Path) -> None:
    def fail() -> None:
        with DumpWriter(tmp_path / "a.h5", "score") as dump:
            dump.append("x", boxes(2), np.zeros(2, np.float32))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(SourceError, match="'offsets' is missing"):
        DumpReader(tmp_path / "a.h5")


def foreign(path: Path, **changes: Any) -> Path:
    """A dump as another program may write it: plain datasets, variable-length ids, no attribute."""
    values = {
        "boxes": np.float64([[0, 0, 5, 5], [1, 1, 4, 4]]),
        "objectness": np.float64([0.5, 0.25]),
        "offsets": np.int32([0, 2, 2]),
        "image_id": ["a", "b"],
    } | changes
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            if value is not None:
                file[name] = value
    return path


def test_a_plain_file_of_another_program_is_read_as_scores(tmp_path: Path) -> None:
    with DumpReader(foreign(tmp_path / "a.h5")) as dump:
        assert dump.kind == "score"
        assert dump.image_ids == ["a", "b"]
        assert [len(read_boxes) for _, read_boxes, _ in dump] == [2, 0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"boxes": None}, "'boxes' is missing"),
        ({"boxes": np.zeros((2, 5))}, "boxes of shape"),
        ({"boxes": np.zeros(8)}, "'boxes' has shape"),
        ({"boxes": np.float32(1)}, "'boxes' has shape"),
        ({"boxes": h5py.Empty("f")}, "'boxes' has shape"),
        ({"boxes": np.zeros((2, 4), "S3")}, "'boxes' has shape"),
        ({"objectness": np.zeros(3)}, "do not fit objectness"),
        ({"offsets": np.int64([0, 3, 2])}, "'offsets' must rise from 0 to the number of boxes, 2"),
        ({"offsets": np.int64([0, -5, 2])}, "must rise"),
        ({"offsets": np.int64([0, 1, 9])}, "must rise"),
        ({"offsets": np.int64([1, 1, 2])}, "must rise"),
        ({"offsets": np.float64([0, 1, 2])}, "'offsets' has shape"),
        ({"offsets": np.zeros(0, np.int64)}, "0 entries"),
        ({"image_id": ["a"]}, "one text for each of 2 images"),
        ({"image_id": np.array(["ab", "ab"], "S2")}, "twice"),
        ({"image_id": np.array([b"\xff", b"b"])}, "not a readable"),
        ({"image_id": np.int64([1, 2])}, "'image_id' has shape"),
        ({"boxes": h5py.SoftLink("/elsewhere")}, "'boxes' is a link elsewhere"),
        ({"boxes": h5py.ExternalLink("other.h5", "/boxes")}, "'boxes' is a link elsewhere"),
    ],
)
def test_a_damaged_or_hostile_file_is_refused(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    path = foreign(tmp_path / "a.h5", **changes)
    with pytest.raises(SourceError, match=sentence):
        DumpReader(path)


def _group(file: h5py.File) -> None:
    file.create_group("boxes")


def _external(file: h5py.File) -> None:
    file.create_dataset("boxes", (2, 4), "f4", external=[("/dev/zero", 0, 32)])


def _huge_chunks(file: h5py.File) -> None:
    file.create_dataset("boxes", (2, 4), "f4", chunks=(2**26, 4), maxshape=(None, 4))


@pytest.mark.parametrize("make", [_group, _external, _huge_chunks])
def test_boxes_outside_a_plain_dataset_are_refused(
    tmp_path: Path, make: Callable[[h5py.File], None]
) -> None:
    path = foreign(tmp_path / "a.h5", boxes=None)
    with h5py.File(path, "a") as file:
        make(file)
    with pytest.raises(SourceError, match=r"'boxes' is not a dataset|too large"):
        DumpReader(path)


def test_an_unknown_kind_of_objectness_is_refused(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file.attrs["objectness"] = "odds"
    with pytest.raises(SourceError, match="must be logit or score, got 'odds'"):
        DumpReader(path)


def test_offsets_that_claim_a_billion_boxes_of_one_image_are_refused(tmp_path: Path) -> None:
    path = foreign(tmp_path / "a.h5", boxes=None, objectness=None, offsets=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("boxes", (10**9, 4), "f4", chunks=(4096, 4))
        file.create_dataset("objectness", (10**9,), "f4", chunks=(4096,))
        file["offsets"] = np.int64([0, 10**9, 10**9])
    with pytest.raises(SourceError, match="image 0 has 1000000000 boxes"):
        DumpReader(path)


@pytest.mark.parametrize("content", [b"", b"not hdf5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_file_that_is_not_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(SourceError, match="not a readable HDF5"):
        DumpReader(tmp_path / "a.h5")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", [3000, 3000])
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match="not a readable HDF5"):
        DumpReader(tmp_path / "a.h5")


def test_the_feature_map_of_each_box_is_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = [3, 0, 5000]
    images = [
        (rng.random((n, 4), np.float32), rng.random(n, np.float32), rng.integers(0, 5, n, "u1"))
        for n in sizes
    ]
    with DumpWriter(tmp_path / "d.h5", "logit") as dump:
        for number, (boxes, scores, levels) in enumerate(images):
            dump.append(str(number), boxes, scores, levels)
    with DumpReader(tmp_path / "d.h5") as reader:
        for number, (boxes, scores, levels) in enumerate(images):
            assert (reader[number][1] == boxes).all()
            assert (reader[number][2] == scores).all()
            assert (reader.levels(number) == levels).all()


def test_a_dump_may_have_no_levels(tmp_path: Path) -> None:
    with DumpWriter(tmp_path / "d.h5", "score") as dump:
        dump.append("a", np.zeros((2, 4), np.float32), np.zeros(2, np.float32))
    with DumpReader(tmp_path / "d.h5") as reader:
        assert reader.levels(0) is None


def test_levels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with DumpWriter(tmp_path / "d.h5", "score") as dump:
        dump.append("a", np.zeros((2, 4), np.float32), np.zeros(2, np.float32))
    with h5py.File(tmp_path / "d.h5", "a") as file:
        file["level"] = np.zeros(3, np.uint8)
    with pytest.raises(SourceError, match="'level' of shape"):
        DumpReader(tmp_path / "d.h5")


def test_a_dump_with_any_byte_changed_is_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / "d.h5"
    with DumpWriter(path, "score") as dump:
        dump.append("a", np.ones((3, 4), np.float32), np.ones(3, np.float32))
    content = path.read_bytes()
    refused = 0
    for place in range(0, min(len(content), 3000), 16):
        path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        try:
            with DumpReader(path) as reader:
                list(reader)
        except SourceError as error:
            refused += "d.h5" in str(error)
    assert refused > 10
