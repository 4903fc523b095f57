from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stages.sources.file_kinds import described, is_label_text, left_out_files, read_head
from tests.stages.sources.samples import encoded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (b"", "it is empty"),
        (b"\0\0\0\x1cftypheix", "it is HEIC"),
        (b"\0\0\0\x1cftypmp42", "it is a video, or another file of the MP4 family"),
        (b"\n<!DOCTYPE HTML PUBLIC><html>", "it is HTML"),
        (b"<Error><Code>AccessDenied</Code>", "it is a web page or XML"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "it is a 7z archive"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><svg/>', "it is SVG"),
        (b"version https://git-lfs.github.com/spec/v1", "it is a Git LFS pointer, not the file"),
        (b"\x1f\x8b\x08\0", "it is gzip"),
        (b"\0\x05\x16\x07\0\x02", "it is an attribute file of macOS"),
        (b"\x1b[31mred", "it begins with 1b5b33316d726564"),
    ],
)
def test_the_first_bytes_of_a_file_tell_what_it_is(head: bytes, sentence: str) -> None:
    assert described(head).startswith(sentence)


def test_files_are_counted_by_suffix_and_by_what_they_hold(tmp_path: Path) -> None:
    contents: dict[str, bytes | str] = {
        "a.heic": b"",
        "deep/b.HEIC": b"",
        "images.TAR.gz": b"",
        "noext": encoded(),
        "voc/1.xml": '<?xml version="1.0"?>\n<annotation><folder/></annotation>',
        "voc/2.xml": "<annotation/>",
        "cvat.xml": "<annotations><version/></annotations>",
        "feed/feed.xml": "<rss/>",
        "labelme/1.json": json.dumps({"shapes": [], "imagePath": "1.jpg"}),
        "coco.json": json.dumps({"images": [], "annotations": [], "categories": []}),
        "via/via.json": json.dumps({"_via_settings": {}}),
        "config/other.json": "{}",
        "labels/a.txt": "0 .5 .5 .2 .2\n",
        "notes.txt": "three dogs\n",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        encoded_text = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(encoded_text)
    assert {kind.kind: kind.count for kind in left_out_files(str(tmp_path), contents)} == {
        ".heic file": 2,
        ".tar.gz file": 1,
        "file of no suffix": 1,
        "Pascal VOC .xml file": 2,
        "CVAT .xml file": 1,
        ".json file": 1,
        "LabelMe .json file": 1,
        "COCO .json file": 1,
        "VIA .json file": 1,
        "YOLO label .txt file": 1,
        ".txt file": 1,
        ".xml file": 1,
    }


def test_of_many_files_of_a_folder_only_the_first_are_looked_into(tmp_path: Path) -> None:
    names = [f"{number:02}.xml" for number in range(30)]
    for name in names[:20]:
        (tmp_path / name).write_text("<annotation/>")
    (kind,) = left_out_files(str(tmp_path), names)
    assert (kind.kind, kind.count) == ("Pascal VOC .xml file", 30)


def test_a_strange_suffix_is_not_printed(tmp_path: Path) -> None:
    kinds = left_out_files(str(tmp_path), ["a.\x1b[31m", "b." + "x" * 50])
    assert [(kind.kind, kind.count) for kind in kinds] == [(".? file", 2)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0.5 0.5 0.2 0.2\n12 1 1 .1 1e-3", True),
        ("1 0.1 0.1 0.2 0.2 0.3 0.1", True),
        ("0 0.5 0.5 0.2", False),
        ("3 dogs and 4 5 6 cats", False),
        ("", False),
    ],
)
def test_labels_are_told_from_captions(text: str, expected: bool) -> None:
    assert is_label_text(text) == expected


def test_a_file_that_cannot_be_read_has_no_head(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000))
    assert (len(read_head(tmp_path / "a")), read_head(tmp_path / "gone")) == (65536, b"")
