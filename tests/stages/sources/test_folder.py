from __future__ import annotations

import csv
import json
import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from tests.stages.sources.samples import ids, ingest, reasons, write_images

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [
    {"file_name": "a.jpg", "caption": 'a "dog", running'},
    {"file_name": "a.jpg", "caption": "two\nlines"},
    {"file_name": "deep/b.png", "caption": "a cat"},
]


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    elif path.suffix == ".tsv":
        lines = ["\t".join(row.values()) for row in rows]
        path.write_text("\n".join(["\t".join(rows[0]), *lines]))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_images(tmp_path / "photos", ["a.jpg", "deep/b.png", "deep/er/c.webp"])
    return tmp_path / "photos"


def test_subfolders_are_read_too(photos: Path, tmp_path: Path) -> None:
    (photos / "notes.md").write_text("no picture")
    rows, refused = ingest(tmp_path / "s", photos)
    assert ids(rows) == ["photos/a.jpg", "photos/deep/b.png", "photos/deep/er/c.webp"]
    assert [row["format"] for row in rows] == ["JPEG", "PNG", "WEBP"]
    assert [row["captions"] for row in rows] == [[], [], []]
    assert refused == []


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("inside", [True, False])
def test_captions_come_from_any_kind_of_table(
    photos: Path, tmp_path: Path, suffix: str, inside: bool
) -> None:
    rows_in = [ROWS[0], {**ROWS[1], "caption": "two"}, ROWS[2]] if suffix == ".tsv" else ROWS
    table = write_table((photos if inside else tmp_path) / f"captions{suffix}", rows_in)
    sources = [photos] if inside else [table, photos]
    rows, refused = ingest(tmp_path / "s", *sources)
    assert [row["captions"] for row in rows] == [
        ['a "dog", running', rows_in[1]["caption"]],
        ["a cat"],
        [],
    ]
    assert refused == []


def test_a_table_alone_means_the_folder_that_holds_it(photos: Path, tmp_path: Path) -> None:
    rows, _ = ingest(tmp_path / "s", write_table(photos / "x.csv", ROWS))
    assert len(rows) == 3


@pytest.mark.parametrize("image", ["image", "File", "FILENAME", "path", "filepath"])
@pytest.mark.parametrize("caption", ["Captions", "text"])
def test_columns_are_found_by_name(photos: Path, tmp_path: Path, image: str, caption: str) -> None:
    write_table(photos / "t.csv", [{image: "a.jpg", "other": "x", caption: "a dog"}])
    rows, _ = ingest(tmp_path / "s", photos)
    assert rows[0]["captions"] == ["a dog"]


def test_a_list_of_captions_gives_several_captions(photos: Path, tmp_path: Path) -> None:
    (photos / "t.jsonl").write_text('{"image": "a.jpg", "captions": ["one", "two", "one"]}')
    rows, _ = ingest(tmp_path / "s", photos)
    assert rows[0]["captions"] == ["one", "two"]


def test_splits_of_the_table_are_kept_and_can_be_selected(photos: Path, tmp_path: Path) -> None:
    table = [{"image": "a.jpg", "split": "test"}, {"image": "deep/b.png", "split": "train"}]
    write_table(photos / "t.csv", table)
    rows, _ = ingest(tmp_path / "s", photos)
    assert sorted(ids(rows)) == ["photos/deep/er/c.webp", "test/a.jpg", "train/deep/b.png"]
    rows, _ = ingest(tmp_path / "s", photos, split=("test",))
    assert [(row["image_id"], row["split"]) for row in rows] == [("test/a.jpg", "test")]
    with pytest.raises(SourceError, match="no split 'val'"):
        ingest(tmp_path / "s", photos, split=("val",))


def test_a_name_is_relative_to_root_or_table_or_a_file_name_alone(
    photos: Path, tmp_path: Path
) -> None:
    table = [
        {"image": str(photos / "a.jpg"), "caption": "absolute"},
        {"image": "b.png", "caption": "beside the table"},
        {"image": "c.webp", "caption": "by its own name"},
    ]
    path = write_table(photos / "deep" / "t.csv", table)
    rows, refused = ingest(tmp_path / "s", path, photos)
    assert [row["captions"] for row in rows] == [
        ["absolute"],
        ["beside the table"],
        ["by its own name"],
    ]
    assert refused == []


def test_a_name_without_a_file_is_reported(photos: Path, tmp_path: Path) -> None:
    write_table(photos / "t.csv", [{"image": "gone.jpg", "caption": "x"}])
    rows, refused = ingest(tmp_path / "s", photos)
    assert len(rows) == 3
    assert reasons(refused) == [("photos/gone.jpg", "missing-image")]


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/secret.jpg"])
def test_a_table_cannot_lead_out_of_the_folder(photos: Path, tmp_path: Path, name: str) -> None:
    write_images(tmp_path, ["secret.jpg"])
    write_table(photos / "t.csv", [{"image": name, "caption": "x"}])
    rows, refused = ingest(tmp_path / "s", photos)
    assert len(rows) == 3
    assert [reason for _, reason in reasons(refused)] == ["unsafe-name"]


@pytest.mark.parametrize("part_images", [10, 1])
def test_a_bad_row_of_the_table_is_told_once(
    photos: Path, tmp_path: Path, part_images: int
) -> None:
    (photos / "t.tsv").write_text("image\tcaption\na.jpg\ta dog\tand more\ndeep/b.png\ta cat\n")
    rows, refused = ingest(tmp_path / "s", photos, part_images=part_images)
    assert [row["captions"] for row in rows] == [[], ["a cat"], []]
    assert refused == [("t.tsv:2", "bad-row", "line 2 has 3 cells, but there are 2 columns")]


def test_columns_of_the_table_can_be_named(photos: Path, tmp_path: Path) -> None:
    write_table(photos / "t.csv", [{"Bild": "a.jpg", "Satz": "a dog"}])
    rows, _ = ingest(tmp_path / "s", photos, image_column="bild", caption_column="Satz")
    assert rows[0]["captions"] == ["a dog"]
    with pytest.raises(SourceError, match="no column 'x'; its columns are 'Bild', 'Satz'"):
        ingest(tmp_path / "s", photos, image_column="Bild", caption_column="x")


def test_a_very_long_caption_is_kept(photos: Path, tmp_path: Path) -> None:
    write_table(photos / "t.csv", [{"image": "a.jpg", "caption": "x" * 200_000}])
    rows, _ = ingest(tmp_path / "s", photos)
    assert len(rows[0]["captions"][0]) == 200_000


def test_a_file_name_that_is_not_utf8_is_refused(photos: Path, tmp_path: Path) -> None:
    (photos / "a.jpg").rename(os.fsdecode(bytes(photos) + b"/caf\xe9.jpg"))
    rows, refused = ingest(tmp_path / "s", photos)
    assert len(rows) == 2
    assert [reason for _, reason in reasons(refused)] == ["unsafe-name"]
    refused[0][0].encode()


def test_several_tables_must_be_named(photos: Path, tmp_path: Path) -> None:
    write_table(photos / "a.csv", ROWS)
    write_table(photos / "b.csv", ROWS)
    with pytest.raises(SourceError, match=r"hold the captions \(a.csv, b.csv\): name"):
        ingest(tmp_path / "s", photos)
    assert len(ingest(tmp_path / "s", photos, photos / "b.csv")[0]) == 3


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.csv", "who,caption\n1,2\n", "no column that names images"),
        ("t.csv", b"image\n\xff\xfe\n", "is not UTF-8: byte 1 of line 2"),
        ("t.parquet", "no parquet", "cannot read"),
    ],
)
def test_an_unusable_table_is_refused_with_a_sentence(
    photos: Path, tmp_path: Path, name: str, content: str | bytes, sentence: str
) -> None:
    (photos / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SourceError, match=sentence):
        ingest(tmp_path / "s", photos)


def test_pictures_may_be_named_one_by_one(photos: Path, tmp_path: Path) -> None:
    rows, _ = ingest(tmp_path / "s", photos / "deep/b.png", kind="folder")
    assert ids(rows) == ["deep/b.png"]
    with pytest.raises(SourceError, match="must be in one folder"):
        ingest(tmp_path / "s", photos / "deep/b.png", photos / "a.jpg")
