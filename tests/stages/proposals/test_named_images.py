from __future__ import annotations

from typing import Any

import pytest

from stages.proposals.box_file import ImageKey
from stages.proposals.named_images import ImageRow, NamedImages, as_number, names_of
from tests.stages.proposals.box_files import image_rows


@pytest.mark.parametrize(
    ("image_id", "source", "uri", "member", "names"),
    [
        ("v/a.jpg", "folder", "/d/v/a.jpg", None, ["/d/v/a.jpg"]),
        ("val/a", "coco", "/d/val2017/a.jpg", None, ["/d/val2017/a.jpg"]),
        ("val/7", "coco", "/d/val2017/a.jpg", None, ["/d/val2017/a.jpg", "val/7"]),
        ("00/a", "webdataset", "/s/00.tar", "a.jpg", ["/s/00/a.jpg"]),
        ("00/a", "webdataset", "/s/00.tar", "a.b.jpg", ["/s/00/a.b.jpg", "00/a"]),
        ("t/a", "tsv", "/d/t.tsv", "7", ["t/a"]),
        ("p/000000007", "parquet", "/d/p.parquet", "7", ["p/000000007"]),
    ],
)
def test_an_image_is_called_by_its_path_and_its_key(
    image_id: str, source: str, uri: str, member: str | None, names: list[str]
) -> None:
    assert names_of(ImageRow(image_id, source, None, uri, member, 9, 9)) == names


def test_only_images_that_the_file_could_mean_are_kept() -> None:
    images = image_rows(["v/a.jpg", "v/b.jpg", "v/7.jpg", "v/c.jpg"], [None, "5", None, None])
    keys = [ImageKey("a"), ImageKey("5"), ImageKey("007"), ImageKey("none")]
    ours = NamedImages(keys, images.to_batches(1))
    assert [row.image_id for row in ours.rows] == ["v/a.jpg", "v/b.jpg", "v/7.jpg"]
    assert ours.first == "v/a.jpg"
    found: list[Any] = [
        ours.by_name(keys[0]), ours.by_source_id(keys[1]), ours.by_number(keys[2])
    ]  # fmt: skip
    assert found == [((0,), "stem"), (1,), (2,)]
    assert ours.by_image_id(ImageKey("v/b.jpg")) == ()  # it was not asked for
    assert ours.by_name(keys[3])[0] == ours.by_number(keys[3]) == ()


@pytest.mark.parametrize(
    ("name", "number"),
    [("0", 0), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("-1", None), ("7.", None), ("", None)],
)
def test_a_number_has_at_most_eighteen_digits_and_a_suffix_of_letters(
    name: str, number: int | None
) -> None:
    assert as_number(name) == number


def test_digits_of_other_scripts_are_not_a_number() -> None:
    assert as_number("\u0661\u0662") is None
