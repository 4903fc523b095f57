from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.pixels import read_content
from stages.sources.tsv import is_image_tsv, pair_captions, read_row
from tests.stages.sources.samples import encoded, ids, ingest, reasons

if TYPE_CHECKING:
    from pathlib import Path


def lines(*pairs: tuple[str, str]) -> str:
    return "".join(f"{key}\t{value}\n" for key, value in pairs)


def picture(seed: int, kind: str = "JPEG") -> str:
    return base64.b64encode(encoded(seed, kind=kind)).decode()


def write_pair(folder: Path, count: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    captions = [(f"k{n}", json.dumps({"captions": [f"one {n}", f"two {n}"]})) for n in range(count)]
    (folder / "cc_captions.tsv").write_text(lines(*captions))
    path = folder / "cc.tsv"
    path.write_text(lines(*((f"k{n}", picture(n)) for n in range(count))))
    return path


def test_images_are_paired_with_the_captions_beside_them(tmp_path: Path) -> None:
    rows, refused = ingest(tmp_path / "s", write_pair(tmp_path))
    assert ids(rows) == ["cc/k0", "cc/k1", "cc/k2"]
    assert rows[1]["captions"] == ["one 1", "two 1"]
    assert {row["source"] for row in rows} == {"tsv"}
    assert refused == []


def test_the_bytes_of_a_row_can_be_read_again(tmp_path: Path) -> None:
    rows, _ = ingest(tmp_path / "s", write_pair(tmp_path))
    assert [read_content(row) for row in rows] == [encoded(n) for n in range(3)]


def test_folder_and_named_files_give_the_same_rows(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "d")
    expected = ingest(tmp_path / "s", path)
    assert ingest(tmp_path / "s", tmp_path / "d") == expected
    assert ingest(tmp_path / "s", tmp_path / "d/cc_captions.tsv", path) == expected


@pytest.mark.parametrize("names", [("image/1.tsv", "text/1.tsv"), ("x_img.tsv", "x_caption.tsv")])
def test_captions_are_found_under_their_usual_names(tmp_path: Path, names: tuple[str, str]) -> None:
    for name, content in zip(names, (lines(("k", picture(0))), lines(("k", "raw")))):  # noqa: B905
        path = tmp_path / "d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    rows, _ = ingest(tmp_path / "s", tmp_path / "d" / names[0])
    assert rows[0]["captions"] == ["raw"]


def test_raw_text_is_a_caption_even_if_it_begins_with_a_bracket(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(lines(("k", picture(0))))
    (tmp_path / "a_text.tsv").write_text(lines(("k", "[sic] a dog")))
    rows, _ = ingest(tmp_path / "s", tmp_path / "a.tsv")
    assert rows[0]["captions"] == ["[sic] a dog"]


def test_images_may_have_no_captions(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(lines(("k", picture(0, "PNG"))))
    rows, refused = ingest(tmp_path / "s", tmp_path / "a.tsv")
    assert ([row["captions"] for row in rows], refused) == ([[]], [])


def test_the_line_index_gives_the_same_rows(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    expected = ingest(tmp_path / "s", path)
    starts, content = [0], path.read_bytes()
    while (end := content.find(b"\n", starts[-1]) + 1) < len(content):
        starts.append(end)
    (tmp_path / "cc.lineidx").write_text("\n".join(map(str, starts)) + "\n")
    assert ingest(tmp_path / "s", path) == expected


@pytest.mark.parametrize("index", ["0\n99999999\n", "5\n9\n", "0\nx\n", "0\n9\n9\n"])
def test_a_line_index_that_does_not_fit_is_refused(tmp_path: Path, index: str) -> None:
    path = write_pair(tmp_path)
    (tmp_path / "cc.lineidx").write_text(index)
    with pytest.raises(SourceError, match="delete it"):
        ingest(tmp_path / "s", path)


@pytest.mark.parametrize("part_images", [10, 1])
def test_a_repeated_key_is_a_duplicate_in_any_part(tmp_path: Path, part_images: int) -> None:
    pairs = [("x", picture(0)), ("y", picture(1)), ("x", picture(2))]
    (tmp_path / "a.tsv").write_text(lines(*pairs))
    rows, refused = ingest(tmp_path / "s", tmp_path / "a.tsv", part_images=part_images)
    assert ids(rows) == ["a/x", "a/y"]
    assert read_content(rows[0]) == encoded(0)
    assert reasons(refused) == [("a/x", "duplicate-id")]


def test_rows_without_an_image_are_refused(tmp_path: Path) -> None:
    bad = [("good", picture(0)), ("plain", "not base64!"), ("empty", ""), ("text", "AAAA")]
    (tmp_path / "a.tsv").write_text(lines(*bad) + "lonely\n")
    rows, refused = ingest(tmp_path / "s", tmp_path / "a.tsv")
    assert ids(rows) == ["a/good"]
    assert reasons(refused) == [
        ("a/plain", "unreadable"),
        ("a/empty", "missing-image"),
        ("a/text", "unreadable"),
        ("a/lonely", "missing-image"),
    ]


def test_captions_of_another_key_are_refused(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    (tmp_path / "cc_captions.tsv").write_text(lines(("k0", "zero"), ("other", "one")))
    rows, refused = ingest(tmp_path / "s", path)
    assert [row["captions"] for row in rows] == [["zero"], [], []]
    assert reasons(refused) == [("cc/k1", "bad-caption"), ("cc/k2", "bad-caption")]


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    rows, _ = ingest(tmp_path / "s", path)
    path.write_text(lines(("k0", "###")))
    with pytest.raises(SourceError, match="changed since it was ingested"):
        read_content(rows[0])


def test_caption_files_without_an_image_file_are_named(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    for name in ("lost1.tsv", "lost2.tsv"):
        (tmp_path / name).write_text(lines(("k", "text")))
    with pytest.raises(SourceError, match=r"no TSV of images belongs to .*lost1"):
        ingest(tmp_path / "s", path, tmp_path / "lost1.tsv", tmp_path / "lost2.tsv")


def test_a_caption_file_that_ends_early_is_reported_for_each_row(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    (tmp_path / "cc_captions.tsv").write_text(lines(("k0", "zero")))
    rows, refused = ingest(tmp_path / "s", path)
    assert [row["captions"] for row in rows] == [["zero"], [], []]
    assert [detail for _, _, detail in refused] == [
        "the caption TSV ends before row 1",
        "the caption TSV ends before row 2",
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (b"k\t/9j/4AAQ", True),
        (b"k\tiVBORw0KGgo", True),
        (b"k\tUklGRgAA", True),
        (b"k\ta dog\nk\t/9j/4AAQ", False),
        (b"/9j/4AAQ", False),
        (b"", False),
        (b"k" * 4096 + b"\t/9j/4AAQ", True),
    ],
)
def test_an_image_tsv_is_recognised_by_its_first_row(
    tmp_path: Path, row: bytes, expected: bool
) -> None:
    (tmp_path / "a.tsv").write_bytes(row)
    assert is_image_tsv(str(tmp_path / "a.tsv")) == expected


def test_caption_files_are_paired_by_number_or_by_name(tmp_path: Path) -> None:
    for name in ("a.tsv", "b.tsv"):
        (tmp_path / name).write_text(lines(("k", picture(0))))
    for name in ("x.tsv", "y.tsv", "b_texts.tsv"):
        (tmp_path / name).write_text(lines(("k", "a dog")))
    a, b, x, y, b_texts = (
        str(tmp_path / f"{name}.tsv") for name in ("a", "b", "x", "y", "b_texts")
    )
    assert pair_captions([x, a, b, y]) == ((a, x), (b, y))
    assert pair_captions([b_texts, a, b]) == ((a, None), (b, b_texts))
    assert pair_captions([a, b]) == ((a, None), (b, b_texts))


def test_a_row_that_is_not_base64_any_more_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("k\t####\nk\n")
    with pytest.raises(SourceError, match=r"since it was ingested \(the row is not base64"):
        read_row(str(tmp_path / "a.tsv"), 0)
    with pytest.raises(SourceError, match="the row has no second column"):
        read_row(str(tmp_path / "a.tsv"), 7)
