from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.sources.record import SourceOptions
from stages.sources.source_kind import KINDS, open_source
from tests.stages.sources.samples import encoded, ids, ingest, write_images, write_json, write_tar

if TYPE_CHECKING:
    from pathlib import Path


def kind_of(*paths: Path | str, kind: str = "auto") -> str:
    return open_source([str(path) for path in paths], SourceOptions(kind)).kind


def test_without_paths_the_error_lists_the_accepted_sources() -> None:
    with pytest.raises(SourceError, match=r"needs a source: WebDataset tars; a COCO folder"):
        kind_of()


def test_an_unknown_source_is_named_with_the_accepted_ones(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"a\.docx is not a source; rc ingest reads WebDataset"):
        kind_of(tmp_path / "a.docx")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no file or folder .*gone\.tar"):
        kind_of(tmp_path / "gone.tar")
    with pytest.raises(SourceError, match=r"nothing matches .*\*\.tar"):
        kind_of(tmp_path / "*.tar")


def test_an_empty_folder_holds_no_images(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no images"):
        kind_of(tmp_path)


def test_the_same_tar_twice_is_refused(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    with pytest.raises(SourceError, match=r"given twice: .*a\.tar"):
        ingest(tmp_path / "s", tar, tar)


def test_a_kind_given_by_the_user_replaces_the_detected_one(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg"])
    write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    for kind in ("webdataset", "folder"):
        assert kind_of(tmp_path, kind=kind) == kind


def test_a_kind_without_splits_refuses_them(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    with pytest.raises(SourceError, match="--split: a webdataset source has no splits"):
        ingest(tmp_path / "s", tar, split=("val",))


def test_remote_tars_are_read_through_fsspec(tmp_path: Path) -> None:
    for name in ("0", "1"):
        content = write_tar(tmp_path / f"{name}.tar", {"x.jpg": encoded()}).read_bytes()
        with fsspec.open(f"memory://shards/{name}.tar", "wb") as file:
            file.write(content)
    for pattern in ("memory://shards/{0..1}.tar", "memory://shards/*.tar"):
        rows, refused = ingest(tmp_path / "s", pattern)
        assert (ids(rows), refused) == (["0/x", "1/x"], [])
    assert rows[0]["uri"] == "memory://shards/0.tar" or rows[0]["uri"].endswith("/shards/0.tar")


def write_kinds(root: Path) -> None:
    """One source of each kind in a folder of its own."""
    write_images(root / "folder/deep", ["a.jpg"])
    write_images(root / "coco/images/val", ["a.jpg"])
    listed = {"images": [{"id": 0, "file_name": "a.jpg"}]}
    write_json(root / "coco/annotations/captions_val.json", listed)
    for name in ("webdataset", "parquet/data", "tsv"):
        (root / name).mkdir(parents=True)
    write_tar(root / "webdataset/a.tar.gz", {"x.jpg": encoded()}, "w:gz")
    pq.write_table(pa.table({"jpg": [encoded()]}), root / "parquet/data/a.parquet")
    write_images(root / "yolo/images/train", ["a.jpg"])
    (root / "yolo/data.yaml").write_text("train: images/train\nnames: [cat]\n")
    (root / "yolo/labels/train").mkdir(parents=True)
    (root / "yolo/labels/train/a.txt").write_text("0 .5 .5 .2 .2\n")
    (root / "tsv/a.tsv").write_bytes(b"k\t" + base64.b64encode(encoded()) + b"\n")


def test_the_kind_is_detected_from_a_folder_or_its_files(tmp_path: Path) -> None:
    write_kinds(tmp_path)
    for kind in KINDS[1:]:
        assert kind_of(tmp_path / kind) == kind
    assert kind_of(tmp_path / "webdataset/a.tar.gz") == "webdataset"
    assert kind_of(tmp_path / "parquet/data/*.parquet") == "parquet"
    assert kind_of(tmp_path / "tsv/a.tsv") == "tsv"
    assert kind_of(tmp_path / "folder/deep/a.jpg") == "folder"
    assert kind_of(tmp_path / "yolo/data.yaml") == "yolo"
    json_file = tmp_path / "coco/annotations/captions_val.json"
    assert kind_of(json_file, tmp_path / "coco/images/val") == "coco"


def test_parquet_and_tsv_without_images_are_tables_of_captions(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg"])
    pq.write_table(pa.table({"image": ["a.jpg"], "caption": ["a dog"]}), tmp_path / "t.parquet")
    assert kind_of(tmp_path) == kind_of(tmp_path / "t.parquet") == "folder"
    (tmp_path / "t.parquet").rename(tmp_path / "t.bin")
    (tmp_path / "t.tsv").write_text("image\tcaption\na.jpg\ta dog\n")
    assert kind_of(tmp_path / "t.tsv") == "folder"


def test_files_of_two_kinds_are_not_a_source(tmp_path: Path) -> None:
    write_kinds(tmp_path)
    with pytest.raises(SourceError, match=r"a\.tar\.gz is not a source"):
        kind_of(tmp_path / "webdataset/a.tar.gz", tmp_path / "tsv/a.tsv")


@pytest.mark.parametrize(
    ("kind", "names", "sentence"),
    [
        ("folder", ["folder", "coco"], "one local folder, and at most one table of captions"),
        ("folder", ["memory://x"], "one local folder, and at most one table of captions"),
        (
            "parquet",
            ["t.parquet"],
            r"t\.parquet has no column of image bytes, such as",
        ),
        ("tsv", ["webdataset"], "holds no images"),
        ("coco", ["folder"], "has images in images/SPLIT or SPLIT"),
        ("webdataset", ["memory://gone.tar"], "cannot open memory://gone.tar"),
    ],
)
def test_a_wrong_kind_is_refused_with_a_sentence(
    tmp_path: Path, kind: str, names: list[str], sentence: str
) -> None:
    write_kinds(tmp_path)
    pq.write_table(pa.table({"image": ["a.jpg"]}), tmp_path / "t.parquet")
    paths = [name if "://" in name else tmp_path / name for name in names]
    with pytest.raises(SourceError, match=sentence):
        kind_of(*paths, kind=kind)


def test_only_the_folder_and_one_level_below_it_are_read_for_tars(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    for name in ("0.tar", "a/1.tar", "a/b/2.tar"):
        write_tar(tmp_path / name, {"x.jpg": encoded()})
    assert ids(ingest(tmp_path / "s", tmp_path)[0]) == ["0/x", "1/x"]


def test_an_archive_beside_images_and_a_table_does_not_win(tmp_path: Path) -> None:
    root = tmp_path / "flickr"
    write_images(root / "images", ["a.jpg", "b.jpg"])
    (root / "captions.csv").write_text("image,caption\na.jpg,a dog\nb.jpg,a cat\n")
    write_tar(root / "images.tar.gz", {"images/a.jpg": encoded()}, "w:gz")
    rows, _ = ingest(tmp_path / "s", root)
    assert [row["captions"] for row in rows] == [["a dog"], ["a cat"]]
    said = open_source([str(root)], SourceOptions()).inventory()
    assert [(kind.kind, kind.count) for kind in said.left_out] == [(".tar.gz file", 1)]
    assert said.remarks[0] == (
        "the images of the folder are read; 1 tar beside them (images.tar.gz) not: "
        "--kind webdataset reads that instead"
    )
    assert kind_of(root, kind="webdataset") == "webdataset"


def test_what_could_be_several_kinds_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg", "b.jpg", "c.jpg"])
    for name in ("0.tar", "1.tar"):
        write_tar(tmp_path / name, {"x.jpg": encoded()})
    sentence = "holds 2 tars and 3 images: say what to read with --kind webdataset or --kind folder"
    with pytest.raises(SourceError, match=sentence):
        kind_of(tmp_path)
    for name in "abc":
        (tmp_path / f"{name}.jpg").unlink()
    assert kind_of(tmp_path) == "webdataset"
    pq.write_table(pa.table({"jpg": [encoded()]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="holds 2 tars and 1 Parquet file: say what to read with"):
        kind_of(tmp_path)


def test_attribute_files_and_hidden_folders_hold_no_archives(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg"])
    for name in ("._0.tar", ".cache/1.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert kind_of(tmp_path) == "folder"


def test_a_folder_without_images_says_what_it_holds(tmp_path: Path) -> None:
    for name in ("a.heic", "b.heic", "c.zip"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        SourceError, match=r"holds no images; it holds 2 \.heic files, 1 \.zip file"
    ):
        kind_of(tmp_path)


def test_a_yolo_source_needs_its_description(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg"])
    with pytest.raises(SourceError, match=r"has no data\.yaml with names"):
        kind_of(tmp_path, kind="yolo")
    with pytest.raises(SourceError, match=r"one local folder, or its data\.yaml, or both"):
        kind_of("memory://x", kind="yolo")


def write_paths(path: Path, rows: list[tuple[bytes | None, str]]) -> None:
    cells = [{"bytes": content, "path": name} for content, name in rows]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    captions = [f"caption {number}" for number in range(len(rows))]
    pq.write_table(pa.table({"image": pa.array(cells, kind), "caption": captions}), path)


def test_a_parquet_of_paths_alone_is_the_table_of_the_folder(tmp_path: Path) -> None:
    write_images(tmp_path, ["deep/a.jpg", "deep/b.jpg", "deep/c.jpg"])
    write_paths(tmp_path / "p.parquet", [(None, "deep/a.jpg"), (None, "deep/b.jpg")])
    assert kind_of(tmp_path) == "folder"
    rows, refused = ingest(tmp_path / "s", tmp_path)
    assert [row["captions"] for row in rows] == [["caption 0"], ["caption 1"], []]
    assert refused == []


def test_a_parquet_that_names_all_images_beside_it_is_read(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg"])
    write_paths(tmp_path / "p.parquet", [(None, "./a.jpg"), (encoded(), "embedded.jpg")])
    assert kind_of(tmp_path) == "parquet"
    write_paths(tmp_path / "p.parquet", [(encoded(), "a.jpg")])
    assert kind_of(tmp_path) == "parquet"
    write_images(tmp_path, ["a.jpg", "other.jpg"])
    with pytest.raises(SourceError, match="holds 1 Parquet file and 1 image: say what to read"):
        kind_of(tmp_path)
