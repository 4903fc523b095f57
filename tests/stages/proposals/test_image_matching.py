from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stages.proposals.box_file import ImageKey
from stages.proposals.image_matching import Matching, match_images
from tests.stages.proposals.box_files import image_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from stages.proposals.box_file import IdRule


def matched(images: pa.Table, *ids: str, rule: IdRule = "auto", part: int = 100) -> Matching:
    """How ids of a file match our images, cut into parts."""
    return match_images([ImageKey(i) for i in ids], images.to_batches(part), rule)


def owners(matching: Matching) -> dict[str, int]:
    """Index in the file of each image that was found."""
    return {image_id: index for image_id, (index, _) in matching.found.items()}


@pytest.mark.parametrize(
    ("file_id", "name", "way"),
    [
        ("val2017/139.jpg", "val2017/139.jpg", "image_id"),
        ("/data/val2017/139.jpg", "val2017/139.jpg", "file name"),
        ("C:\\other\\val2017\\139.jpg", "val2017/139.jpg", "file name"),
        ("139.jpg", "val2017/139.jpg", "file name"),
        ("000000000139", "val2017/000000000139.jpg", "file name without suffix"),
        ("139.png", "a/139.jpg", "file name without suffix"),
        ("139", "a/b/000000000139.jpg", "number in the file name"),
        ("000000000139", "val2017/139.jpg", "number in the file name"),
        ("a%20dog.jpg", "folder/a dog.jpg", "file name"),
        ("cafe\u0301", "folder/caf\u00e9.jpg", "file name without suffix"),
        ("1390", "val2017/139.jpg", None),
        ("dog", "folder/hotdog.jpg", None),
        ("42", "val/COCO_val2014_000000000042.jpg", None),
        ("139", "139.tar.gz", None),
    ],
)
def test_one_image_is_found_by_its_name_or_number(file_id: str, name: str, way: str | None) -> None:
    expected = {name: (0, way)} if way else {}
    assert matched(image_rows([name]), file_id).found == expected


def test_ids_of_the_sources_own_json_come_before_names() -> None:
    images = image_rows(["val/1.jpg", "val/2.jpg", "val/3.jpg"], ["0", "1", "2"])
    matching = matched(images, "0", "1", "2")
    assert matching.found == {
        "val/1.jpg": (0, "COCO id"),
        "val/2.jpg": (1, "COCO id"),
        "val/3.jpg": (2, "COCO id"),
    }
    assert matching.refused == {}
    assert (matching.ambiguous, matching.unmatched) == (0, 0)


def test_numbers_that_are_ids_for_some_images_and_names_for_others_are_refused() -> None:
    images = image_rows(["val/1.jpg", "val/2.jpg", "val/3.jpg"], ["0", "1", "2"])
    matching = matched(images, "1", "2", "3")
    assert matching.found == {}
    assert set(matching.refused) == {"val/1.jpg", "val/2.jpg", "val/3.jpg"}
    assert (matching.ambiguous, matching.unmatched) == (3, 0)
    assert owners(matched(images, "1", "2", "3", rule="name")) == {
        "val/1.jpg": 0,
        "val/2.jpg": 1,
        "val/3.jpg": 2,
    }
    by_id = matched(images, "1", "2", "3", rule="json")
    assert (owners(by_id), by_id.unmatched) == ({"val/2.jpg": 0, "val/3.jpg": 1}, 1)


def test_a_number_in_a_file_name_is_no_id_where_a_json_was_read() -> None:
    images = image_rows(["val/000000000139.jpg"], ["7"])
    assert matched(images, "139").unmatched == 1
    assert owners(matched(images, "7")) == {"val/000000000139.jpg": 0}
    assert owners(matched(images, "000000000139")) == {"val/000000000139.jpg": 0}


def test_an_id_that_two_json_files_give_is_refused() -> None:
    images = image_rows(["train/a.jpg", "val/b.jpg"], ["7", "7"])
    matching = matched(images, "7", "b.jpg")
    assert owners(matching) == {}
    assert matching.refused["train/a.jpg"] == (
        "the boxes of '7' could be those of 'train/a.jpg' and 'val/b.jpg'"
    )
    assert owners(matched(images, "val/b.jpg", "7")) == {"val/b.jpg": 0}


@pytest.mark.parametrize("part", [1, 2, 3])
def test_the_answer_does_not_depend_on_how_images_were_cut(part: int) -> None:
    names = ["00/000", "01/000", "01/001"]
    uris = ["/s/00.tar", "/s/01.tar", "/s/01.tar"]
    images = image_rows(
        names, source=["webdataset"] * 3, uri=uris, member=["000.jpg", "000.jpg", "001.jpg"]
    )
    matching = matched(images, "000", "001", part=part)
    assert owners(matching) == {"01/001": 1}
    assert set(matching.refused) == {"00/000", "01/000"}
    assert (matching.ambiguous, matching.unmatched) == (1, 0)
    assert owners(matched(images, "00/000", "01/000.jpg", part=part)) == {"00/000": 0, "01/000": 1}


def test_a_member_is_found_by_its_key_too() -> None:
    images = image_rows(["s/a"], source=["webdataset"], uri=["/s/s.tar"], member=["a.big.jpg"])
    for name in ("a", "s/a", "a.big.jpg", "a.big"):
        assert owners(matched(images, name)) == {"s/a": 0}


def test_the_number_of_a_row_of_a_table_is_no_name() -> None:
    images = image_rows(["t/dog"], source=["tsv"], uri=["/d/t.tsv"], member=["7"])
    assert matched(images, "7").found == {}
    assert matched(images, "dog").found == {"t/dog": (0, "file name")}


def test_the_better_rule_decides_between_two_ids_and_equal_ones_are_refused() -> None:
    images = image_rows(["v/7.jpg"])
    assert owners(matched(images, "b/7.jpg", "v/7.jpg")) == {"v/7.jpg": 1}
    assert matched(images, "7", "07").found == {"v/7.jpg": (0, "file name without suffix")}
    tied = matched(images, "07", "007")
    assert tied.found == {}
    assert tied.refused == {
        "v/7.jpg": "the file has boxes of '07' and '007', and each could be this image"
    }


def test_an_exact_id_is_found_though_another_could_be_the_same_image() -> None:
    images = image_rows(["a/007.jpg", "b/007.jpg"])
    matching = matched(images, "007", "a/007.jpg")
    assert owners(matching) == {"a/007.jpg": 1}
    assert set(matching.refused) == {"b/007.jpg"}


def test_a_name_says_more_than_an_id_beside_it() -> None:
    images = image_rows(["v/a.jpg", "v/b.jpg", "w/b.jpg"], ["1", "2", "3"])
    keys = [ImageKey("9", "a.jpg"), ImageKey("2", "b.jpg")]
    matching = match_images(keys, images.to_batches())
    assert owners(matching) == {"v/a.jpg": 0, "v/b.jpg": 1}
    renumbered = match_images([ImageKey("2", "a.jpg")], images.to_batches())
    assert owners(renumbered) == {"v/a.jpg": 0}
    unknown_name = match_images([ImageKey("2", "elsewhere.jpg")], images.to_batches())
    assert owners(unknown_name) == {"v/b.jpg": 0}


def test_padded_numbers_are_names_unless_they_could_be_ids_of_others() -> None:
    images = image_rows(["v/0001.jpg", "v/0002.jpg"], ["7", "1"])
    assert set(matched(images, "0001").refused) == {"v/0001.jpg", "v/0002.jpg"}
    assert owners(matched(images, "0002")) == {"v/0002.jpg": 0}
    assert owners(matched(images, "0007")) == {"v/0001.jpg": 0}


def test_sizes_are_those_of_our_images_in_the_order_of_the_file() -> None:
    images = image_rows(["a.jpg", "b.jpg"], width=[3, 5], height=[4, 6])
    sizes = matched(images, "none", "b.jpg", "a.jpg").sizes
    assert sizes.tolist() == [[0, 0], [5, 6], [3, 4]]


def test_an_example_of_each_side_is_kept() -> None:
    assert matched(image_rows(["a.jpg"]), "a", "42").example == ("42", "a.jpg")
    assert matched(image_rows(["a.jpg"])[:0], "42").example == ("42", "")
    assert matched(image_rows(["a.jpg"])).example == ("", "a.jpg")


def test_hostile_names_match_nothing_and_break_nothing() -> None:
    names: list[Any] = ["..", "/", "\\", "%00", "%", "\ud800", "a" * 10_000, " ", ".", "%ff/."]
    matching = matched(image_rows(["v/a.jpg"]), *names)
    assert (matching.found, matching.unmatched) == ({}, len(names))
