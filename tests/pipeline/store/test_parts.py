from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.store import parts, row_groups
from schemas.errors import ArtifactError
from schemas.features import FEATURES
from tests.pipeline.store.feature_rows import features


def finished(folder: Path, number: int = 3, **notes: Any) -> parts.Receipt:
    folder.mkdir(exist_ok=True)
    work = parts.work_folder(folder, number)
    rows = row_groups.write_rows(work / parts.part_name(number), FEATURES, [features(5)])
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
    other = replace(receipt.part, rows=6)
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
        row_groups.write_rows(work / parts.part_name(0), FEATURES, [features(count)])
    nothing = parts.Report()
    receipt = parts.publish(tmp_path, accepted, parts.prepare(accepted, 0, 5, nothing))
    assert parts.prepare(late, 0, 7, nothing).part.sha256 != receipt.part.sha256
    assert parts.damaged(tmp_path, receipt.part) == []
    assert parts.receipt(tmp_path, 0) == receipt
    assert late.is_dir()
    assert not accepted.exists()


def test_a_part_that_is_prepared_alone_is_not_there(tmp_path: Path) -> None:
    work = parts.work_folder(tmp_path, 0)
    row_groups.write_rows(work / parts.part_name(0), FEATURES, [features(5)])
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
    row_groups.write_rows(path, FEATURES, [features(5)])
    if content is None:  # the middle, which only reading finds
        whole = path.read_bytes()
        path.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
    else:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"part-00000.parquet cannot be read: .*'rc verify'"):
        list(parts.batches(path))


def test_a_flipped_bit_among_the_values_is_seen_when_they_are_read(tmp_path: Path) -> None:
    path, rows = tmp_path / "part-00000.parquet", features(500)
    row_groups.write_rows(path, FEATURES, [rows])
    content = bytearray(path.read_bytes())
    content[content.index(rows.column("feature")[300].as_py()) + 5] ^= 1
    path.write_bytes(content)
    reads = (lambda: list(parts.batches(path)), lambda: parts.take(path, np.array([3])))
    for read in reads:
        with pytest.raises(ArtifactError, match=r"part-00000.parquet cannot be read: .*CRC"):
            read()
    assert parts.take(path, np.array([3]), ["region"]).num_rows == 1
