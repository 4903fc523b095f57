"""Names that another program wrote mean the right file, or none."""

from __future__ import annotations

import unicodedata

import pytest

from schemas.quarantine import Reason
from stages.sources.name_index import NameIndex, NameMatch, enter, entries, normalised, stem
from stages.sources.record import Refusal

DISK = ("caf\u00e9.jpg", "f/1.jpg", "g/1.jpg", "sp ace.jpg", "w/x.jpg", "UP.JPG", "nosuf.jpg")


@pytest.mark.parametrize(
    ("written", "name", "way"),
    [
        ("f/1.jpg", "f/1.jpg", "exact"),
        (unicodedata.normalize("NFD", "caf\u00e9.jpg"), "caf\u00e9.jpg", "spelling"),
        ("sp%20ace.jpg", "sp ace.jpg", "spelling"),
        ("./w\\x.jpg", "w/x.jpg", "spelling"),
        ("/data/set/f/1.jpg", "f/1.jpg", "path"),
        ("C:\\data\\g\\1.jpg", "g/1.jpg", "path"),
        ("images/x.jpg", "w/x.jpg", "base name"),
        ("nosuf", "nosuf.jpg", "stem"),
        ("up.jpg", "UP.JPG", "stem"),
        ("nosuf.png", "nosuf.jpg", "stem"),
    ],
)
def test_a_name_of_another_machine_means_its_file(written: str, name: str, way: str) -> None:
    assert NameIndex(DISK).find(written) == (name, way)


@pytest.mark.parametrize("written", ["", "/", "gone.jpg", "1", "x.jpg.txt.gz"])
def test_a_name_that_fits_nothing_means_nothing(written: str) -> None:
    assert NameIndex(["a.jpg"]).find(written) is None


@pytest.mark.parametrize("written", ["1.jpg", "h/1.jpg", "1", "1.png"])
def test_a_name_that_fits_several_files_means_none(written: str) -> None:
    with pytest.raises(Refusal, match=r"could be any of f/1\.jpg, g/1\.jpg") as caught:
        NameIndex(DISK).find(written)
    assert caught.value.reason is Reason.AMBIGUOUS_NAME


def test_the_longest_common_path_decides() -> None:
    index = NameIndex(["train/a/1.jpg", "val/a/1.jpg", "val/b/1.jpg"])
    assert index.find("/data/val/a/1.jpg") == NameMatch("val/a/1.jpg", "path")
    with pytest.raises(Refusal):
        index.find("/data/a/1.jpg")


def test_two_files_of_one_stem_need_their_suffix() -> None:
    index = NameIndex(["a.jpg", "a.png"])
    assert index.find("a.png") == NameMatch("a.png", "exact")
    with pytest.raises(Refusal):
        index.find("a")


def test_a_missing_image_does_not_take_the_file_of_another() -> None:
    answers = NameIndex(["g/1.jpg"]).find_all(["f/1.jpg", "g/1.jpg"])
    assert answers["g/1.jpg"] == NameMatch("g/1.jpg", "exact")
    assert isinstance(answers["f/1.jpg"], Refusal)


def test_a_file_that_two_names_fit_equally_belongs_to_neither() -> None:
    answers = NameIndex(["1.jpg", "2.jpg"]).find_all(["f/1.jpg", "g/1.jpg", "h/2.jpg"])
    assert [isinstance(answers[name], Refusal) for name in ("f/1.jpg", "g/1.jpg")] == [True, True]
    assert answers["h/2.jpg"] == NameMatch("2.jpg", "base name")


def test_two_spellings_of_one_name_share_their_file() -> None:
    answers = NameIndex(["a b.jpg"]).find_all(["a b.jpg", "./a b.jpg", "a%20b.jpg", "gone.jpg"])
    ways = [answer.way for answer in answers.values() if isinstance(answer, NameMatch)]
    assert ways == ["exact", "spelling", "spelling"]
    assert answers["gone.jpg"] is None


def test_a_name_with_a_percent_sign_or_foreign_bytes_stays_what_it_is() -> None:
    assert NameIndex(["100%.jpg"]).find("100%.jpg") == NameMatch("100%.jpg", "exact")
    assert NameIndex(["\udcff.jpg"]).find("x/\udcff.jpg") == NameMatch("\udcff.jpg", "base name")


def test_stem_and_spelling() -> None:
    assert [stem(name) for name in ("a/b.tar.gz", ".x", "", "a.")] == ["a/b.tar", ".x", "", "a"]
    assert normalised("/a/./b/../c") == "a/b/../c"


def test_a_known_name_is_also_meant_by_another_spelling_of_itself() -> None:
    index = NameIndex(["a b.jpg", "a%20b.jpg"])
    assert index.find("a%20b.jpg") == NameMatch("a%20b.jpg", "exact")
    with pytest.raises(Refusal, match=r"could be any of a b\.jpg, a%20b\.jpg"):
        index.find("./a%20b.jpg")


def test_one_entry_needs_no_list() -> None:
    index: dict[str, int | list[int]] = {}
    for key, value in (("a", 1), ("b", 2), ("b", 3), ("b", 2)):
        enter(index, key, value)
    assert index == {"a": 1, "b": [2, 3, 2]}
    assert [entries(index, key) for key in "abc"] == [[1], [2, 3, 2], []]
