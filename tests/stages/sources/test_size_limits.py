"""Limits on foreign files are raised for what is read now, and for nothing else."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import OptionError
from stages import jpeg_scans
from stages.extract_concepts import ExtractConcepts
from stages.ingest import Ingest
from stages.proposals.localizers import open_boxes
from stages.propose import Propose
from stages.sources import (
    files,
    json_records,
    parquet_rows,
    parquet_tables,
    table_encoding,
    tar_streams,
)
from stages.sources.caption_corpus import Corpus
from stages.sources.size_limits import SizeLimitedStage, allowed, raised, raised_over
from tests.stages.jpeg_samples import many_scans
from tests.stages.sources.samples import encoded, ids, ingest, write_tar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def test_limits_are_raised_inside_alone() -> None:
    def nested() -> tuple[int, int, int]:
        return allowed(10), raised(5, allowed, 10), allowed(10)

    assert raised(2, nested) == (20, 50, 20)
    with pytest.raises(ZeroDivisionError):
        raised(2, lambda: allowed(10) / 0)
    assert allowed(10) == 10


def test_every_step_of_an_iterator_has_the_limits_and_what_is_between_has_not() -> None:
    def numbers() -> Iterator[int]:
        for number in range(3):
            yield allowed(number)

    first, second = raised_over(2, numbers()), raised_over(10, numbers())
    seen = [(one, allowed(1), two) for one, two in zip(first, second, strict=True)]
    assert seen == [(0, 1, 0), (2, 1, 10), (4, 1, 20)]
    left = raised_over(7, numbers())
    next(left)
    assert allowed(1) == 1


@pytest.mark.parametrize("stage", [Ingest, ExtractConcepts, Propose])
def test_a_recipe_names_the_limits_only_if_they_are_raised(stage: type[SizeLimitedStage]) -> None:
    files: dict[str, Any] = {
        ExtractConcepts: {"captions": "captions.tsv"},
        Propose: {"from_file": "boxes.json"},
    }.get(stage, {})
    assert "size_limits" not in stage(**files).recipe()
    assert stage(**files, size_limits=3).recipe()["size_limits"] == 3
    if files:
        with pytest.raises(OptionError, match=r"--size-limits is of --(captions|from)"):
            stage(size_limits=3)


def _images(path: Path, size_limits: int) -> list[object]:
    rows, refused = ingest(path.parent / "scratch", path, size_limits=size_limits, verify=False)
    return [*ids(rows), *refused]


def _captions(path: Path, size_limits: int) -> list[object]:
    records = list(Corpus(path, size_limits=size_limits).records())
    return [record.problem or record.captions for record in records]


def _boxes(path: Path, size_limits: int) -> list[object]:
    file = open_boxes(path, str(path), None, size_limits)
    return [*file.bad.listed, *(b.tolist() for _, b, _ in raised_over(size_limits, file.blocks()))]


def _large_image(folder: Path) -> Path:
    write_tar(folder / "a.tar", {"x.png": encoded()})
    return folder / "a.tar"


def _large_image_in_parquet(folder: Path) -> Path:
    rows = [{"image": encoded(), "caption": "a cat"}]
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    return folder / "a.parquet"


def _compressed_tar(folder: Path) -> Path:
    content = {f"{n}.jpg": encoded(n) + bytes(1 << 20) for n in range(3)}
    return write_tar(folder / "a.tar.gz", content, "w:gz")


def _line(folder: Path) -> Path:
    (folder / "a.txt").write_text("cat " * 500 + "\ndog\n")
    return folder / "a.txt"


def _gzip(folder: Path) -> Path:
    (folder / "a.txt.gz").write_bytes(gzip.compress(b"a cat\n" * 20_000))
    return folder / "a.txt.gz"


def _repeated(folder: Path) -> Path:
    captions = pa.DictionaryArray.from_arrays(pa.array([0] * 1500, pa.int32()), ["a cat" * 20])
    pq.write_table(pa.table({"caption": captions.cast(pa.string())}), folder / "a.parquet")
    return folder / "a.parquet"


def _box_table(folder: Path) -> Path:
    columns = {name: [1.0, 2.0] for name in ("x0", "y0")} | {n: [3.0, 4.0] for n in ("x1", "y1")}
    pq.write_table(pa.table({"image_id": ["a", "a"], **columns}), folder / "a.parquet")
    return folder / "a.parquet"


def _box_lines(folder: Path) -> Path:
    line = '{"image_id": "a", "bbox": [1, 2, 3, 4], "score": 0.5, "note": "' + "x" * 400 + '"}\n'
    (folder / "a.json").write_text("[" + line + "," + line + "]")
    return folder / "a.json"


@pytest.mark.parametrize(
    ("module", "name", "limit", "write", "read"),
    [
        (files, "_MOST_BYTES", 60, _large_image, _images),
        (files, "_MOST_BYTES", 60, _large_image_in_parquet, _images),
        (parquet_rows, "_MOST_GROUP_BYTES", 60, _large_image_in_parquet, _images),
        (tar_streams, "_SMALL", 0, _compressed_tar, _images),
        (table_encoding, "_LONGEST_LINE", 1500, _line, _captions),
        (table_encoding, "_SMALL", 0, _gzip, _captions),
        (parquet_tables, "_SMALL_TEXT", 0, _repeated, _captions),
        (parquet_tables, "_SMALL_ROWS", 0, _repeated, _captions),
        (parquet_rows, "_MOST_VALUES", 500, _repeated, _captions),
        (parquet_rows, "_MOST_VALUES", 1, _box_table, _boxes),
        (json_records, "_LONGEST", 100, _box_lines, _boxes),
    ],
)
def test_what_a_limit_refuses_is_read_where_it_is_raised(
    module: Any,
    name: str,
    limit: int,
    write: Callable[[Path], Path],
    read: Callable[[Path, int], list[object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_records, "_CHUNK", 64)
    path = write(tmp_path)
    whole = read(path, 1)
    monkeypatch.setattr(module, name, limit)
    assert read(path, 100) == whole
    try:
        refused = str(read(path, 1))
    except Exception as error:  # a refusal, or of a whole file a sentence
        refused = str(error)
    assert refused != str(whole)
    assert read(path, 100) == whole


def test_scans_of_a_jpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg_scans, "_MOST_WORK", 100_000)
    (tmp_path / "a.jpg").write_bytes(many_scans((40, 30), 30))
    for times, refused in {1: ["too-slow"], 1000: []}.items():
        rows, problems = ingest(tmp_path / "scratch", tmp_path / "a.jpg", size_limits=times)
        assert [reason for _, reason, _ in problems] == refused
        assert len(rows) == 1 - len(refused)
