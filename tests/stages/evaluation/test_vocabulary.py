from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from schemas.errors import ArtifactError, SourceError
from stages.evaluation.vocabulary import (
    Vocabulary,
    make_vocabulary,
    read_categories,
    read_splits,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_list_the_vocabulary_is_what_was_drawn() -> None:
    vocabulary = make_vocabulary(None, {}, ["dog", "cat", "dog"])
    assert vocabulary.names == ("cat", "dog")
    assert vocabulary.splits == {"all": [0, 1]}


def test_a_list_keeps_its_order_and_is_never_added_to() -> None:
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


@pytest.mark.parametrize("content", ["{", "[]", '["a", "a"]', '[""]', '{"a": 1}', "[1]"])
def test_anything_else_is_no_list_of_categories(tmp_path: Path, content: str) -> None:
    (tmp_path / "names.json").write_text(content)
    with pytest.raises(SourceError, match=r"names\.json"):
        read_categories(tmp_path / "names.json")


def test_splits_are_read_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text(json.dumps({"base": ["b", "a"], "novel": ["c"]}))
    assert read_splits(tmp_path / "splits.json") == {"base": ("b", "a"), "novel": ("c",)}


@pytest.mark.parametrize("content", ["[]", "{}", '{"all": ["a"]}', '{"base": []}', '{"base": 3}'])
def test_anything_else_is_no_splits(tmp_path: Path, content: str) -> None:
    (tmp_path / "splits.json").write_text(content)
    with pytest.raises(SourceError, match="lists of names by split"):
        read_splits(tmp_path / "splits.json")
