from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stages.sources import caption_files
from stages.sources.caption_files import LABELS, TextsBeside, read_texts, sample_texts
from stages.sources.folder_files import ImageFile

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, suffix: str, content: bytes) -> TextsBeside:
    (folder / f"a{suffix}").write_bytes(content)
    return read_texts(str(folder), "a.jpg", [suffix])


@pytest.mark.parametrize(
    ("suffix", "content", "captions"),
    [
        (".txt", b" a dog\n", ["a dog"]),
        (".txt", "\ufeffcaf\u00e9".encode(), ["caf\u00e9"]),
        (".txt", "caf\u00e9".encode("utf-16"), ["caf\u00e9"]),
        (".TXT", b"a dog", ["a dog"]),
        (".caption", b"a cat", ["a cat"]),
        (".txt", b"3 dogs and 2 cats", ["3 dogs and 2 cats"]),
        (".json", b'{"caption": "a dog", "url": "x", "status": "success"}', ["a dog"]),
    ],
)
def test_a_text_beside_an_image_holds_its_caption(
    tmp_path: Path, suffix: str, content: bytes, captions: list[str]
) -> None:
    assert read(tmp_path, suffix, content) == TextsBeside(captions)


@pytest.mark.parametrize(
    ("suffix", "content", "sentence"),
    [
        (".txt", b"caf\xe9", "a.txt: is not UTF-8: byte 4 is 0xe9"),
        (".json", b"{broken", "a.json: not JSON"),
        (".txt", b"x" * 100, "a.txt: has more than 99 bytes"),
    ],
)
def test_a_text_that_cannot_be_read_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, content: bytes, sentence: str
) -> None:
    monkeypatch.setattr(caption_files, "_MOST_BYTES", 99)
    ((reason, detail),) = read(tmp_path, suffix, content).problems
    assert (reason, detail[: len(sentence)]) == ("bad-caption", sentence)


def test_a_text_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    ((_, detail),) = read_texts(str(tmp_path), "a.jpg", [".txt"]).problems
    assert detail == "a.txt: cannot be read: No such file or directory"


def test_annotations_are_not_taken_for_captions(tmp_path: Path) -> None:
    assert read(tmp_path, ".txt", b"0 .5 .5 .2 .2\n1 .5 .5 .1 .1").others == [LABELS]
    labelme = json.dumps({"shapes": [], "imagePath": "a.jpg", "text": "x"}).encode()
    assert read(tmp_path, ".json", labelme) == TextsBeside(others=["LabelMe .json file"])


@pytest.mark.parametrize(
    ("suffix", "content"), [(".txt", b" \n"), (".caption", b""), (".json", b'{"caption": null}')]
)
def test_a_text_without_a_caption_is_counted(tmp_path: Path, suffix: str, content: bytes) -> None:
    beside = read(tmp_path, suffix, content)
    assert beside == TextsBeside(others=[f"{suffix} file of no caption"])


def test_a_sample_is_of_the_first_images_that_have_texts(tmp_path: Path) -> None:
    images = [ImageFile(f"{number:02}.jpg", 1, (".txt",)) for number in range(30)]
    for image in images:
        (tmp_path / image.name).with_suffix(".txt").write_text(image.name)
    sample = sample_texts(str(tmp_path), [ImageFile("0.jpg", 1), *images])
    assert sample.captions == [image.name for image in images[:20]]
