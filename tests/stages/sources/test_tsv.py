from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import SourceError
from stages.pixels import read_content
from stages.sources.record import Inventory, LeftOut, Record, SourceOptions
from stages.sources.source_kind import open_source
from stages.sources.tsv import TsvSource, is_image_tsv, pair_captions, read_row
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


def test_captions_are_joined_by_key_in_any_order(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    pairs = [("k2", "two"), ("other", "lost"), ("k0", "zero"), ("k2", "another two")]
    (tmp_path / "cc_captions.tsv").write_text(lines(*pairs))
    rows, refused = ingest(tmp_path / "s", path)
    assert [row["captions"] for row in rows] == [["zero"], [], ["two", "another two"]]
    assert refused == []
    inventory = TsvSource(((str(path), str(tmp_path / "cc_captions.tsv")),)).inventory()
    assert inventory.left_out == (LeftOut("caption of no image", 1),)
    assert inventory.remarks == (
        "1 of 4 rows of cc_captions.tsv have a key that no image has, such as 'other'; images "
        "have 'k0'",
    )
    assert inventory.losses == ()


def test_most_or_all_captions_of_no_image_are_a_loss(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    captions = tmp_path / "cc_captions.tsv"
    source = TsvSource(((str(path), str(captions)),))
    captions.write_text(lines(("k0", "zero"), ("0", "a"), ("1", "b")))
    inventory = source.inventory()
    assert inventory.left_out == (LeftOut("caption of no image", 2),)
    sentence = "of cc_captions.tsv have a key that no image has, such as '0'; images have 'k0'"
    assert (inventory.remarks, inventory.losses) == ((), (f"2 of 3 rows {sentence}",))
    captions.write_text(lines(("0", "a"), ("1", "b")))
    assert source.inventory() == Inventory(unmatched=f"2 of 2 rows {sentence}")


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


@pytest.mark.parametrize("part_images", [10, 1])
def test_a_bad_row_of_the_captions_is_told_once(tmp_path: Path, part_images: int) -> None:
    path = write_pair(tmp_path)
    (tmp_path / "cc_captions.tsv").write_text("k0\tzero\nk1\tone\twith a tab\nk2\ttwo\n\n")
    rows, refused = ingest(tmp_path / "s", path, part_images=part_images)
    assert [row["captions"] for row in rows] == [["zero"], [], ["two"]]
    detail = "line 2 has 3 cells, but there are 2 columns"
    assert refused == [("cc_captions.tsv:2", "bad-row", detail)]


def test_line_ends_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    rows = [f"k{n}\t{picture(n)}" for n in range(2)]
    (tmp_path / "a.tsv").write_text("\ufeff" + "\r\n".join([rows[0], "", rows[1], "", ""]))
    (tmp_path / "a_captions.tsv").write_text("\r\n".join(["k0\ta dog", "k1\ta cat", ""]))
    kept, refused = ingest(tmp_path / "s", tmp_path / "a.tsv")
    assert [(row["image_id"], row["captions"]) for row in kept] == [
        ("a/k0", ["a dog"]),
        ("a/k1", ["a cat"]),
    ]
    assert [read_content(row) for row in kept] == [encoded(n) for n in range(2)]
    assert refused == []


def test_more_columns_and_a_header_are_understood(tmp_path: Path) -> None:
    row = "k\t" + json.dumps({"caption": "a dog"}) + f"\t7\t{picture(1)}\n"
    (tmp_path / "a.tsv").write_text(row)
    (tmp_path / "b.tsv").write_text(f"image_id\timage\tcaption\nk\t{picture(2)}\ta cat\n")
    (tmp_path / "c.tsv").write_text(f"{picture(3)}\tk\n")
    rows, refused = ingest(tmp_path / "s", tmp_path / "*.tsv")
    assert [(row["image_id"], row["captions"]) for row in rows] == [
        ("a/k", ["a dog"]),
        ("b/k", ["a cat"]),
        ("c/k", []),
    ]
    assert [read_content(row) for row in rows] == [encoded(n) for n in (1, 2, 3)]
    assert refused == []
    assert TsvSource(((str(tmp_path / "a.tsv"), None),)).inventory().remarks == (
        "column 2 of a.tsv is not read; --caption-column names one with captions",
    )


def test_columns_can_be_numbered_or_named(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(f"k\t{picture(0)}\ta dog\t{picture(1)}\n")
    rows, _ = ingest(tmp_path / "s", tmp_path / "a.tsv", caption_column="2", image_column="3")
    assert (rows[0]["captions"], read_content(rows[0])) == (["a dog"], encoded(1))
    with pytest.raises(SourceError, match="has no column '9'; it has 4 columns"):
        ingest(tmp_path / "s", tmp_path / "a.tsv", caption_column="9")


def test_every_form_of_base64_is_read(tmp_path: Path) -> None:
    plain = base64.b64encode(encoded(0)).decode()
    safe = base64.urlsafe_b64encode(encoded(0)).decode().rstrip("=")
    forms = {"plain": plain, "safe": safe, "uri": f"data:image/jpeg;base64,{plain}"}
    for form, cell in forms.items():
        (tmp_path / f"{form}.tsv").write_text(lines(("k", cell)))
    rows, refused = ingest(tmp_path / "s", *(tmp_path / f"{form}.tsv" for form in forms))
    assert [read_content(row) for row in rows] == [encoded(0)] * 3
    assert refused == []


def test_a_row_with_extra_cells_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(lines(("a", picture(0)), ("b", f"{picture(1)}\tmore")))
    rows, refused = ingest(tmp_path / "s", tmp_path / "a.tsv")
    assert ids(rows) == ["a/a"]
    assert reasons(refused) == [("a/b", "bad-row")]


def test_rows_that_the_line_index_leaves_out_are_told(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    first, second, _ = path.read_bytes().splitlines(keepends=True)
    (tmp_path / "cc.lineidx").write_text(f"0\n{len(first) + len(second)}\n")
    rows, refused = ingest(tmp_path / "s", path)
    assert ids(rows) == ["cc/k0", "cc/k2"]
    assert reasons(refused) == [(f"cc.tsv:{len(first)}", "bad-row")]


def test_the_line_index_may_be_binary(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    expected = ingest(tmp_path / "s", path)
    sizes = [len(line) for line in path.read_bytes().splitlines(keepends=True)]
    starts = np.cumsum([0, *sizes[:-1]]).astype("<i8")
    (tmp_path / "cc.lineidx.8b").write_bytes(starts.tobytes())
    assert ingest(tmp_path / "s", path) == expected


def test_a_line_index_of_another_file_is_refused(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    (tmp_path / "cc.lineidx").write_text("0\n7\n")
    with pytest.raises(SourceError, match="no row begins at byte 7; delete the lineidx"):
        ingest(tmp_path / "s", path)


def test_captions_of_another_name_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(lines(("k", picture(0))))
    (tmp_path / "x.tsv").write_text("image_id\tcaption\nk\ta dog\n")
    (pair,) = pair_captions([str(tmp_path / "a.tsv"), str(tmp_path / "x.tsv")])
    source = TsvSource((pair,))
    (record,) = (item for piece in source.slices() for item in source.records(piece))
    assert isinstance(record, Record)
    assert record.captions == ("a dog",)
    assert source.inventory().remarks == (f"captions of a.tsv are read from {tmp_path / 'x.tsv'}",)


def test_captions_in_utf16_are_refused(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    (tmp_path / "cc_captions.tsv").write_bytes("k0\ta dog\n".encode("utf-16"))
    with pytest.raises(SourceError, match="is UTF-16: captions beside a TSV of images must be"):
        ingest(tmp_path / "s", path)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (b"k\t/9j/4AAQ", True),
        (b"k\tiVBORw0KGgo", True),
        (b"k\tUklGRgAA", True),
        (b"image_id\timage\nk\t/9j/4AAQ", True),
        (b"k\t_9j_4AAQ", True),
        (b"k\tR0lGODdh", True),
        (b"k\ta dog\n", False),
        (b"/9j/4AAQ", False),
        (b"", False),
        (b"k" * 4096 + b"\t/9j/4AAQ", True),
    ],
)
def test_an_image_tsv_is_recognised_by_its_first_rows(
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
    with pytest.raises(SourceError, match="the row has no image in column 1"):
        read_row(str(tmp_path / "a.tsv"), 7)


def test_labels_beside_a_folder_of_images_are_counted_and_do_not_stop_it(tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "pair").parent
    name = next(path.stem for path in sorted(folder.glob("*.tsv")) if is_image_tsv(str(path)))
    for kind in ("label", "hw"):
        (folder / f"{name}.{kind}.tsv").write_text(lines(("k0", "48 64")))
    source = open_source([str(folder)], SourceOptions())
    assert source.kind == "tsv"
    assert source.inventory().left_out == (LeftOut(".tsv file", 2),)


def test_a_duplicate_is_told_alike_however_parts_are_cut(tmp_path: Path) -> None:
    picture = base64.b64encode(encoded()).decode()
    (tmp_path / "a.tsv").write_text(lines(("k0", picture), ("k0", picture)))
    answers = [ingest(tmp_path / "s", tmp_path / "a.tsv", part_images=n)[1] for n in (1, 10)]
    assert answers[0] == answers[1] == [("a/k0", "duplicate-id", "row 1 repeats an earlier id")]
