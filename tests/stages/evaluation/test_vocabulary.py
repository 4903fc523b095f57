from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from schemas.errors import ArtifactError, OptionError, SourceError
from stages.evaluation.vocabulary import (
    Vocabulary,
    list_digest,
    make_vocabulary,
    names_of_objects,
    read_categories,
    read_split,
    read_splits,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_list_the_vocabulary_is_that_of_the_ground_truth() -> None:
    vocabulary = make_vocabulary(None, {}, ["dog", "cat", "dog"])
    assert vocabulary.names == ("cat", "dog")
    assert vocabulary.splits == {"all": [0, 1]}


def test_a_list_keeps_its_order_and_ignores_the_ground_truth() -> None:
    vocabulary = make_vocabulary(["dog", "ant"], {}, ["dog", "cat"])
    assert vocabulary.names == ("dog", "ant")
    assert vocabulary.missing(["dog", "cat"]) == ["cat"]


def test_splits_alone_are_the_vocabulary() -> None:
    vocabulary = make_vocabulary(None, {"base": ("dog", "cat"), "novel": ("ant",)}, ["elk"])
    assert vocabulary.names == ("dog", "cat", "ant")
    assert vocabulary.splits == {"all": [0, 1, 2], "base": [0, 1], "novel": [2]}


def test_a_split_outside_the_list_is_refused_by_name() -> None:
    with pytest.raises(ArtifactError, match="--splits names 'ant', which --categories lacks"):
        make_vocabulary(["dog"], {"novel": ("ant",)}, [])


def test_images_without_objects_cannot_make_a_vocabulary() -> None:
    with pytest.raises(ArtifactError, match="no image has an object"):
        make_vocabulary(None, {}, [])


def test_the_hash_is_of_the_names_in_their_order() -> None:
    digest = Vocabulary(("cat", "dog"), {}).sha256()
    assert digest == hashlib.sha256(b"cat\ndog").hexdigest()
    assert digest != Vocabulary(("dog", "cat"), {}).sha256()


def test_categories_come_from_lines_or_from_a_json_list(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("hot dog\ncat,12\n\n")
    (tmp_path / "names.json").write_text('["hot dog", "cat"]')
    assert read_categories(tmp_path / "names.txt") == ["hot dog", "cat"]
    assert read_categories(tmp_path / "names.json") == ["hot dog", "cat"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "as JSON: Expecting"),
        ("[]", "must hold a JSON list"),
        ('{"a": 1}', "must hold a JSON list"),
        ('["a", "a"]', "has 'a' more than once"),
        ('["a", "A"]', "which differ only in case"),
        ('["a", ""]', "has an empty text in place of name 2"),
        ('["a", null]', "has null in place of name 2"),
        ("[1]", "has something that is no text in place of name 1"),
        (r'["caf\u00e9", "cafe\u0301"]', r"\(U\+00E9\) and .* \(U\+0301\), which look alike"),
    ],
)
def test_a_file_that_is_no_list_of_different_names_is_refused(
    tmp_path: Path, content: str, fault: str
) -> None:
    (tmp_path / "names.json").write_text(content)
    with pytest.raises(SourceError, match=rf"names\.json.* {fault}"):
        read_categories(tmp_path / "names.json")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"base": ["a", null]}', "split 'base' has null in place of name 2"),
        ('{"base": ["a"], "novel": ["b", "b"]}', "split 'novel' has 'b' more than once"),
        (
            r'{"base": ["caf\u00e9"], "novel": ["cafe\u0301"]}',
            r"together, has .*\(U\+0301\), which",
        ),
    ],
)
def test_names_of_splits_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, content: str, fault: str
) -> None:
    (tmp_path / "splits.json").write_text(content)
    with pytest.raises(SourceError, match=fault):
        read_splits(tmp_path / "splits.json")


def test_objects_whose_categories_look_alike_make_no_vocabulary() -> None:
    assert names_of_objects(["dog", "Dog", "dog"]) == ("Dog", "dog")
    with pytest.raises(ArtifactError, match=r"ground truth of the images has .*\(U\+0301\)"):
        make_vocabulary(None, {}, ["caf\u00e9", "cafe\u0301"])
    vocabulary = make_vocabulary(["caf\u00e9"], {}, ["caf\u00e9", "cafe\u0301"])
    assert vocabulary.missing(["cafe\u0301"]) == ["cafe\u0301"]
    with pytest.raises(ArtifactError, match=r"\(U\+0301\) looks like .* which --categories lacks"):
        make_vocabulary(["caf\u00e9"], {"novel": ("cafe\u0301",)}, [])


def test_splits_are_read_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text(json.dumps({"base": ["b", "a"], "novel": ["c"]}))
    assert read_splits(tmp_path / "splits.json") == {"base": ("b", "a"), "novel": ("c",)}


@pytest.mark.parametrize("content", ["[]", "{}", '{"all": ["a"]}', '{"base": []}', '{"base": 3}'])
def test_a_file_that_is_no_lists_by_split_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "splits.json").write_text(content)
    with pytest.raises(SourceError, match="lists of names by split"):
        read_splits(tmp_path / "splits.json")


def test_names_of_one_split_or_of_all_are_read_each_once(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    path.write_text(json.dumps({"base": ["b", "a"], "novel": ["c", "a"]}))
    assert read_split(path, "novel") == ("c", "a")
    assert read_split(path, "all") == ("b", "a", "c")
    with pytest.raises(OptionError) as refusal:
        read_split(path, "rare")
    assert str(refusal.value) == f"{path} has no split 'rare'; choose base, novel, all"


def test_a_file_that_is_no_json_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "names.json").write_bytes(b"\xff\xfe{")
    for read in (read_categories, read_splits):
        with pytest.raises(SourceError, match=r"cannot read .*names\.json as JSON"):
            read(tmp_path / "names.json")
    with pytest.raises(SourceError, match=r"cannot read .*gone\.json as JSON"):
        read_splits(tmp_path / "gone.json")


def test_the_digest_of_a_list_is_that_of_its_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    for path in (first, second):
        path.write_text("cat\ndog\n")
    assert list_digest(first) == list_digest(second)
    second.write_text("cat\nowl\n")
    assert list_digest(first) != list_digest(second)


def test_a_category_of_two_splits_is_in_both() -> None:
    vocabulary = make_vocabulary(None, {"pets": ("cat", "dog"), "wild": ("cat", "elk")}, [])
    assert vocabulary.names == ("cat", "dog", "elk")
    assert vocabulary.splits == {"all": [0, 1, 2], "pets": [0, 1], "wild": [0, 2]}
