from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.store import parts
from schemas.errors import ArtifactError, SchemaError
from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.metrics import METRICS
from tests.pipeline.toys import image_columns


def features(count: int, width: int = 8, precision: str = "float16") -> pa.RecordBatch:
    rng = np.random.default_rng(count)
    return FEATURES.batch(
        {
            "image_id": [f"a/{i // 3}" for i in range(count)],
            "region": [i % 3 for i in range(count)],
            "feature": rng.normal(size=(count, width)).astype(precision),
        }
    )


def cut(rows: pa.RecordBatch, size: int) -> list[pa.RecordBatch]:
    return [rows.slice(start, size) for start in range(0, rows.num_rows, size)]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 1000, 5000])
def test_the_bytes_follow_from_the_rows_however_they_were_batched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(parts, "_GROUP_ROWS", 1000)
    monkeypatch.setattr(parts, "_STEP_ROWS", 40)
    rows = features(5000)
    parts.write_rows(tmp_path / "whole", FEATURES, [rows])
    assert parts.write_rows(tmp_path / "cut", FEATURES, cut(rows, size)) == 5000
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "cut").read_bytes()
    assert pq.read_metadata(tmp_path / "cut").num_row_groups == 5


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 9, 40])
def test_nested_rows_cut_by_bytes_are_independent_of_batches_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(parts, "_GROUP_BYTES", 50_000)
    columns = image_columns(range(300))
    columns["content"] = [bytes(100 + 7 * (i % 50)) if i % 5 else None for i in range(300)]
    rows = IMAGES.batch(columns)
    parts.write_rows(tmp_path / "whole", IMAGES, [rows])
    parts.write_rows(tmp_path / "cut", IMAGES, cut(rows, size))
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "cut").read_bytes()
    assert pq.read_metadata(tmp_path / "cut").num_row_groups > 1


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = IMAGES.batch(image_columns(range(50)))
    parts.write_rows(tmp_path / "part", IMAGES, cut(rows, 7))
    read = pa.Table.from_batches(list(parts.batches(tmp_path / "part")))
    assert read.to_pylist() == rows.to_pylist()
    assert parts.count(tmp_path / "part") == 50


@pytest.mark.parametrize("count", [0, 1, 400])
def test_some_rows_are_taken_in_the_order_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(parts, "_GROUP_ROWS", 120)
    monkeypatch.setattr(parts, "_STEP_ROWS", 40)
    rows = features(1000)
    parts.write_rows(tmp_path / "part", FEATURES, [rows])
    assert pq.read_metadata(tmp_path / "part").num_row_groups == 9
    asked = np.random.default_rng().integers(0, 1000, count)
    found = parts.take(tmp_path / "part", asked)
    assert found.to_pylist() == pa.Table.from_batches([rows]).take(pa.array(asked)).to_pylist()
    assert parts.take(tmp_path / "part", asked, ["region"]).column_names == ["region"]


def test_batches_of_many_rows_come_about_a_thousand_at_a_time(tmp_path: Path) -> None:
    parts.write_rows(tmp_path / "part", FEATURES, [features(3000)])
    assert [b.num_rows for b in parts.batches(tmp_path / "part")] == [1024, 1024, 952]


@pytest.mark.parametrize("rows", [[], [FEATURES.empty()]])
def test_no_rows_are_a_file_with_columns_and_without_batches(
    tmp_path: Path, rows: list[pa.RecordBatch]
) -> None:
    assert parts.write_rows(tmp_path / "part", FEATURES, rows) == 0
    assert parts.schema(tmp_path / "part").names == ["image_id", "region", "feature"]
    assert list(parts.batches(tmp_path / "part")) == []


def test_vectors_are_stored_plain_and_all_else_compressed_lists_and_structs_too(
    tmp_path: Path,
) -> None:
    parts.write_rows(tmp_path / "images", IMAGES, [IMAGES.batch(image_columns(range(9)))])
    parts.write_rows(tmp_path / "features", FEATURES, [features(9)])
    codecs = {}
    for name in ("images", "features"):
        group = pq.read_metadata(tmp_path / name).row_group(0)
        columns = [group.column(i) for i in range(group.num_columns)]
        codecs |= {column.path_in_schema: column.compression for column in columns}
    plain = {name for name, codec in codecs.items() if codec == "UNCOMPRESSED"}
    assert plain == {"content", "feature"}
    assert codecs["captions.list.element"] == codecs["objects.list.element.x0"] == "ZSTD"


def test_rows_of_another_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"rows do not honour 'metrics' v2: missing \['metric'"):
        parts.write_rows(tmp_path / "part", METRICS, [features(3)])


def test_vectors_of_two_widths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowInvalid, match="different"):
        parts.write_rows(tmp_path / "part", FEATURES, [features(3, 8), features(3, 9)])


def test_a_missing_value_where_none_may_be_is_refused(tmp_path: Path) -> None:
    rows = features(3)
    rows = rows.set_column(0, rows.schema.field(0), pa.array(["a", None, "c"]))
    with pytest.raises(pa.ArrowInvalid, match="image_id"):
        parts.write_rows(tmp_path / "part", FEATURES, [rows])


def finished(folder: Path, number: int = 3, **notes: Any) -> parts.Receipt:
    folder.mkdir(exist_ok=True)
    work = parts.work_folder(folder, number)
    rows = parts.write_rows(work / parts.part_name(number), FEATURES, [features(5)])
    (work / f"part-{number:05d}.dump.h5").write_bytes(b"raw")
    report = parts.Report(notes={"seen": (1, 2), **notes})
    return parts.publish(folder, work, parts.prepare(work, number, rows, report))


def test_a_finished_part_has_a_receipt_that_a_later_run_finds(tmp_path: Path) -> None:
    receipt = finished(tmp_path)
    assert receipt.part.rows == 5
    assert receipt.notes == {"seen": [1, 2]}
    assert [file.name for file in receipt.part.files] == ["part-00003.dump.h5"]
    assert parts.receipt(tmp_path, 3) == receipt
    assert parts.receipt(tmp_path, 4) is None
    assert list((tmp_path / ".work").iterdir()) == []


def test_a_note_may_be_of_any_type_that_json_has_a_word_for(tmp_path: Path) -> None:
    receipt = finished(tmp_path, weights=Path("a/b"), day=date(2026, 1, 2), few={7}, none=None)
    words = {"weights": "a/b", "day": "2026-01-02", "few": [7], "none": None}
    assert receipt.notes == {"seen": [1, 2], **words}
    assert parts.receipt(tmp_path, 3) == receipt


@pytest.mark.parametrize("name", ["part-00003.parquet", "part-00003.dump.h5"])
@pytest.mark.parametrize("harm", ["delete", "flip"])
def test_a_damaged_file_is_named_and_its_receipt_void(tmp_path: Path, name: str, harm: str) -> None:
    receipt = finished(tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    path.unlink()
    if harm == "flip":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert parts.damaged(tmp_path, receipt.part) == [name]
    assert parts.receipt(tmp_path, 3) is None


def test_a_part_with_other_rows_than_recorded_is_damaged_too(tmp_path: Path) -> None:
    receipt = finished(tmp_path)
    assert parts.damaged(tmp_path, receipt.part) == []
    other = receipt.part.model_copy(update={"rows": 6})
    assert parts.damaged(tmp_path, other) == ["part-00003.parquet"]
    (tmp_path / "part-00003.dump.h5").write_bytes(b"row")
    assert parts.damaged(tmp_path, other) == ["part-00003.parquet", "part-00003.dump.h5"]


def test_a_receipt_says_what_is_there_and_is_written_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[str] = []
    replace = Path.replace

    def note(draft: Path, target: Path) -> Path:
        published.append(target.name)
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", note)
    receipt = finished(tmp_path, 12)
    names = ["part-00012.dump.h5", "part-00012.parquet", "part-00012.json"]
    assert published == names
    for record, name in zip((*receipt.part.files, receipt.part), names, strict=False):
        content = (tmp_path / name).read_bytes()
        assert record.bytes == len(content)
        assert record.sha256 == hashlib.sha256(content).hexdigest()
    assert receipt.part.number == 12
    assert (receipt.part.counts, receipt.part.dropped) == ({}, {})


@pytest.mark.parametrize("harm", ["flip", "other part", "half", "gone"])
def test_a_damaged_receipt_is_as_good_as_none(tmp_path: Path, harm: str) -> None:
    finished(tmp_path)
    finished(tmp_path, 4)
    path = tmp_path / ".receipts" / "part-00003.json"
    text = path.read_text()
    harmed = {"flip": text.replace('"seen": [1', '"seen": [3'), "half": text[:80]}
    harmed["other part"] = path.with_name("part-00004.json").read_text()
    path.unlink() if harm == "gone" else path.write_text(harmed[harm])
    assert parts.receipt(tmp_path, 3) is None
    assert parts.receipt(tmp_path, 4) is not None


def test_a_late_attempt_changes_nothing_of_the_one_that_was_published(tmp_path: Path) -> None:
    late, accepted = parts.work_folder(tmp_path, 0), parts.work_folder(tmp_path, 0)
    for work, count in ((late, 7), (accepted, 5)):
        (work / "part-00000.dump.h5").write_bytes(b"raw" * count)
        parts.write_rows(work / parts.part_name(0), FEATURES, [features(count)])
    nothing = parts.Report()
    receipt = parts.publish(tmp_path, accepted, parts.prepare(accepted, 0, 5, nothing))
    assert parts.prepare(late, 0, 7, nothing).part.sha256 != receipt.part.sha256
    assert parts.damaged(tmp_path, receipt.part) == []
    assert parts.receipt(tmp_path, 0) == receipt
    assert late.is_dir()
    assert not accepted.exists()


def test_a_part_that_is_prepared_alone_is_not_there(tmp_path: Path) -> None:
    work = parts.work_folder(tmp_path, 0)
    parts.write_rows(work / parts.part_name(0), FEATURES, [features(5)])
    parts.prepare(work, 0, 5, parts.Report())
    assert parts.receipt(tmp_path, 0) is None
    assert [path.name for path in tmp_path.iterdir()] == [".work"]


def test_two_attempts_at_one_part_never_share_a_folder(tmp_path: Path) -> None:
    first, second = parts.work_folder(tmp_path, 0), parts.work_folder(tmp_path, 0)
    (first / "file").write_text("of the first")
    assert list(second.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_a_damaged_part_is_a_sentence_that_names_it(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "part-00000.parquet"
    parts.write_rows(path, FEATURES, [features(5)])
    if content is None:  # the middle, which only reading finds
        whole = path.read_bytes()
        path.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
    else:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"part-00000.parquet cannot be read: .*'rc verify'"):
        list(parts.batches(path))


def test_a_flipped_bit_among_the_values_is_seen_when_they_are_read(tmp_path: Path) -> None:
    path, rows = tmp_path / "part-00000.parquet", features(500)
    parts.write_rows(path, FEATURES, [rows])
    content = bytearray(path.read_bytes())
    content[content.index(rows.column("feature")[300].as_py()) + 5] ^= 1
    path.write_bytes(content)
    reads = (lambda: list(parts.batches(path)), lambda: parts.take(path, np.array([3])))
    for read in reads:
        with pytest.raises(ArtifactError, match=r"part-00000.parquet cannot be read: .*CRC"):
            read()
    assert parts.take(path, np.array([3]), ["region"]).num_rows == 1
