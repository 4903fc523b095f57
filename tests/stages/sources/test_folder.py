from __future__ import annotations

import csv
import json
import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.ingest import Ingest
from stages.outcome import Outcome, Result
from stages.sources.record import LeftOut, SourceOptions
from stages.sources.source_kind import open_source
from tests.in_memory import InMemory
from tests.stages.sources.samples import (
    encoded,
    ids,
    ingest,
    reasons,
    write_images,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    from stages.sources.record import Inventory

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


def inventory(*paths: Path) -> Inventory:
    return open_source([str(path) for path in paths], SourceOptions()).inventory()


def outcome(scratch: Path, *sources: Path) -> Outcome:
    """What a run of one part says at its end."""
    stage = Ingest(sources=tuple(map(str, sources)))
    scratch.mkdir(exist_ok=True)
    part = InMemory({}, scratch)
    rows = sum(batch.num_rows for batch in stage.run(part))
    stage.survey(part)
    return stage.outcome(Result(rows, {}, part.notes))


def test_captions_are_in_texts_beside_the_images(tmp_path: Path) -> None:
    root = tmp_path / "laion"
    write_images(root, ["00000/000000000.jpg", "00000/000000001.jpg", "00000/000000002.jpg"])
    for number in range(2):
        path = root / f"00000/00000000{number}.txt"
        path.write_text(f"a red bus {number}")
        path.with_suffix(".json").write_text(json.dumps({"caption": f"a red bus {number}"}))
    write_table(root / "00000.parquet", [{"key": "000000009", "caption": "x", "status": "failed"}])
    rows, refused = ingest(tmp_path / "s", root)
    assert [row["captions"] for row in rows] == [["a red bus 0"], ["a red bus 1"], []]
    assert refused == []
    assert inventory(root).left_out == (LeftOut(".parquet file"),)
    assert inventory(root).remarks[0].startswith("00000.parquet was not read: captions are in the")


def test_a_text_that_cannot_be_read_leaves_its_image(photos: Path, tmp_path: Path) -> None:
    (photos / "a.txt").write_bytes(b"caf\xe9")
    rows, refused = ingest(tmp_path / "s", photos)
    assert (len(rows), reasons(refused)) == (3, [("photos/a.jpg", "bad-caption")])


def test_the_digest_follows_the_texts_and_the_tables(photos: Path) -> None:
    def digest() -> str:
        return open_source([str(photos)], SourceOptions()).digest()

    digests = [digest()]
    for text in ("a dog", "a cat"):  # of the same size
        (photos / "a.txt").write_text(text)
        digests.append(digest())
    write_table(photos / "t.csv", ROWS)
    digests.append(digest())
    assert len(set(digests)) == 4


def test_each_split_folder_may_have_a_table(tmp_path: Path) -> None:
    root = tmp_path / "hub"
    write_images(root, ["train/a.jpg", "train/deep/a.jpg", "test/a.jpg", "other/a.jpg"])
    write_table(root / "train/metadata.csv", [{"file_name": "a.jpg", "text": "a dog"}])
    write_table(root / "test/metadata.jsonl", [{"file_name": "a.jpg", "text": "a cat"}])
    rows, refused = ingest(tmp_path / "s", root)
    assert {row["image_id"]: (row["split"], row["captions"]) for row in rows} == {
        "hub/other/a.jpg": (None, []),
        "test/a.jpg": ("test", ["a cat"]),
        "train/a.jpg": ("train", ["a dog"]),
        "train/deep/a.jpg": ("train", []),
    }
    assert refused == []
    assert ids(ingest(tmp_path / "s", root, split=("test",))[0]) == ["test/a.jpg"]


def test_ids_stay_different_where_a_folder_is_called_like_a_split(tmp_path: Path) -> None:
    root = tmp_path / "train"
    write_images(root, ["a.jpg", "train/a.jpg"])
    write_table(root / "t.csv", [{"image": "train/a.jpg", "split": "train", "caption": "x"}])
    rows, _ = ingest(tmp_path / "s", root)
    assert ids(rows) == ["train/a.jpg", "train/train/a.jpg"]


def test_a_table_for_people_of_kaggle_and_flickr(tmp_path: Path) -> None:
    write_images(tmp_path / "k/Images", ["1.jpg"])
    (tmp_path / "k/captions.txt").write_text("image,caption\n1.jpg,a dog\n1.jpg,a pup\n")
    assert ingest(tmp_path / "s", tmp_path / "k")[0][0]["captions"] == ["a dog", "a pup"]
    write_images(tmp_path / "f/flickr30k_images", ["1.jpg"])
    table = "image_name| comment_number| comment\n1.jpg| 0| a dog\n1.jpg| 1| a pup\n"
    (tmp_path / "f/flickr30k_images/results.csv").write_text(table)
    assert ingest(tmp_path / "s", tmp_path / "f")[0][0]["captions"] == ["a dog", "a pup"]


def test_names_that_were_written_elsewhere_are_joined_or_refused(tmp_path: Path) -> None:
    names = ["caf\u00e9.jpg", "f/1.jpg", "g/1.jpg", "a b.jpg", "w/x.jpg", "abs.jpg", "UP.JPG"]
    write_images(tmp_path / "src", names)
    written = [
        "cafe\u0301.jpg",
        "f/1.jpg",
        "1.jpg",
        "a%20b.jpg",
        "w\\x.jpg",
        "/x/me/abs.jpg",
        "up.jpg",
    ]
    write_table(tmp_path / "src/t.csv", [{"image": n, "caption": n} for n in [*written, "gone"]])
    rows, refused = ingest(tmp_path / "s", tmp_path / "src")
    assert {row["image_id"].removeprefix("src/"): row["captions"] for row in rows} == {
        "caf\u00e9.jpg": ["cafe\u0301.jpg"],
        "f/1.jpg": ["f/1.jpg"],
        "g/1.jpg": [],
        "a b.jpg": ["a%20b.jpg"],
        "w/x.jpg": ["w\\x.jpg"],
        "abs.jpg": ["/x/me/abs.jpg"],
        "UP.JPG": ["up.jpg"],
    }
    assert reasons(refused) == [("src/1.jpg", "ambiguous-name"), ("src/gone", "missing-image")]
    (remark,) = inventory(tmp_path / "src").remarks
    assert remark.startswith("t.csv: 6 of 8 names found (")
    assert remark.endswith("; 1 missing, 1 ambiguous")


def test_captions_of_which_none_finds_an_image_are_an_error_of_the_run(
    photos: Path, tmp_path: Path
) -> None:
    write_table(photos / "t.csv", [{"image": f"{number}.jpg", "caption": "x"} for number in "123"])
    said = outcome(tmp_path / "s", photos)
    assert said.empty == (
        f"no caption of t.csv belongs to an image of {photos}: the table says '1.jpg', "
        "the folder has 'a.jpg'"
    )


def test_most_captions_without_an_image_are_a_loss(photos: Path, tmp_path: Path) -> None:
    write_table(photos / "t.csv", [{"image": n, "caption": "x"} for n in ("a.jpg", "1", "2")])
    said = outcome(tmp_path / "s", photos)
    assert said.empty is None
    assert "2 of 3 captions of t.csv have no image (such as '1')" in said.losses


def test_what_is_not_read_is_counted_by_kind(tmp_path: Path) -> None:
    root = tmp_path / "mixed"
    write_images(root, ["a.jpg", "b.jfif", "c.JPE", "__MACOSX/._a.jpg", ".cache/d.jpg"])
    for name in ("x.heic", "y.xlsx", "noext"):
        (root / name).write_bytes(b"x")
    (root / "a.xml").write_text("<annotation/>")
    (root / "link").symlink_to(".")
    said = outcome(tmp_path / "s", root)
    assert said.summary == [
        "3 images: 0 with captions, 0 with boxes; not read: 1 ._ file of macOS, "
        "1 .heic file, 1 .xlsx file, 1 Pascal VOC .xml file, 1 file of no suffix, "
        "1 image of hidden folders",
        "1 link to folders that are read elsewhere (such as 'link')",
    ]


def test_each_image_is_a_row_or_is_refused_with_the_true_reason(tmp_path: Path) -> None:
    root = tmp_path / "src"
    root.mkdir()
    contents = {
        "empty.jpg": b"",
        "heic.jpg": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "page.jpg": b"<html>not found</html>",
        "webp.jpg": encoded(kind="WEBP"),
        "a.gif": encoded(kind="GIF"),
        "a.tif": encoded(kind="TIFF"),
    }
    for name, content in contents.items():
        (root / name).write_bytes(content)
    (root / "broken.jpg").symlink_to("nowhere.jpg")
    rows, refused = ingest(tmp_path / "s", root)
    assert {row["image_id"]: row["format"] for row in rows} == {
        "src/a.gif": "GIF",
        "src/a.tif": "TIFF",
        "src/webp.jpg": "WEBP",
    }
    unreadable = "no image of a known format: it is"
    assert [(record, detail) for record, _, detail in refused] == [
        ("src/broken.jpg", f"no file broken.jpg in {root}"),
        ("src/empty.jpg", f"{unreadable} empty"),
        ("src/heic.jpg", f"{unreadable} HEIC"),
        ("src/page.jpg", f"{unreadable} HTML"),
    ]


def test_images_named_one_by_one_keep_their_texts(photos: Path, tmp_path: Path) -> None:
    (photos / "a.txt").write_text("a dog")
    rows, _ = ingest(tmp_path / "s", photos / "a.jpg")
    assert rows[0]["captions"] == ["a dog"]


def test_labels_beside_images_are_no_captions(photos: Path, tmp_path: Path) -> None:
    (photos / "a.txt").write_text("0 .5 .5 .2 .2")
    said = outcome(tmp_path / "s", photos)
    assert said.summary[0].endswith("0 with boxes; not read: 1 YOLO label .txt file")
    assert said.summary[1].startswith("labels of YOLO were not read, since nothing names their")


KARPATHY = {
    "images": [
        {"filename": "0.jpg", "split": "train", "sentences": [{"raw": "a dog"}, {"raw": "dogs"}]},
        {"filename": "1.jpg", "split": "test", "sentences": [{"raw": "a cat"}]},
    ],
    "dataset": "flickr8k",
}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Flickr8k.token.txt", "0.jpg#0\ta dog, a ball\n0.jpg#1\tdogs\n1.jpg#0\ta cat\n"),
        ("results.token", "0.jpg#0\ta dog, a ball\n0.jpg#1\tdogs\n1.jpg#0\ta cat\n"),
        ("captions.csv", '0.jpg,"a dog, a ball"\n0.jpg,dogs\n1.jpg,a cat\n'),
        ("numbered.csv", '0.jpg,0,"a dog, a ball"\n0.jpg,1,dogs\n1.jpg,0,a cat\n'),
        ("cc.tsv", "a dog, a ball\thttp://x/0.jpg\ndogs\thttp://x/0.jpg\na cat\tx/1.jpg\n"),
    ],
)
def test_a_table_without_header_is_known_by_the_images_it_names(
    tmp_path: Path, name: str, content: str
) -> None:
    write_images(tmp_path, ["deep/0.jpg", "deep/1.jpg"])
    (tmp_path / name).write_text(content)
    (tmp_path / "trainImages.txt").write_text("0.jpg\n1.jpg\n")
    rows, refused = ingest(tmp_path / "s", tmp_path, kind="folder")
    assert [row["captions"] for row in rows] == [["a dog, a ball", "dogs"], ["a cat"]]
    assert refused == []


@pytest.mark.parametrize(
    "document",
    [
        KARPATHY,
        [
            {"image": "deep/0.jpg", "caption": ["a dog", "dogs"]},
            {"image": "deep/1.jpg", "caption": "a cat"},
        ],
        {"0.jpg": ["a dog", "dogs"], "1.jpg": "a cat"},
    ],
)
def test_a_json_document_of_captions_is_read(tmp_path: Path, document: object) -> None:
    write_images(tmp_path, ["deep/0.jpg", "deep/1.jpg"])
    path = write_json(tmp_path / "captions.json", document)
    write_json(tmp_path / "stats.json", {"count": 2})
    for sources in ([tmp_path], [path, tmp_path]):
        rows, refused = ingest(tmp_path / "s", *sources)
        rows.sort(key=lambda row: str(row["uri"]))
        assert [row["captions"] for row in rows] == [["a dog", "dogs"], ["a cat"]]
        assert refused == []
