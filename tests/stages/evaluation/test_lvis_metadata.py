from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import ArtifactError, SourceError
from stages.evaluation.lvis_metadata import image_category_keys, read_lvis_metadata

if TYPE_CHECKING:
    from pathlib import Path


def image(name: str, absent: list[int], not_exhaustive: list[int]) -> dict[str, Any]:
    return {
        "coco_url": f"http://images.cocodataset.org/val2017/{name}",
        "neg_category_ids": absent,
        "not_exhaustive_category_ids": not_exhaustive,
    }


def written(folder: Path, images: list[dict[str, Any]]) -> Path:
    """An LVIS JSON whose categories are not in the order of their ids."""
    kinds = {5: ("owl", "f"), 1: ("ant", "r"), 2: ("bat_(animal)", "c")}
    categories = [{"id": k, "name": n, "frequency": f} for k, (n, f) in kinds.items()]
    path = folder / "lvis.json"
    path.write_text(json.dumps({"images": images, "categories": categories}))
    return path


def test_lists_are_read_by_file_name_and_categories_in_the_order_of_ids(tmp_path: Path) -> None:
    images = [image("01.jpg", [2, 5], []), {**image("x", [], [1]), "file_name": "val/02.a.png"}]
    lvis = read_lvis_metadata(written(tmp_path, images))
    assert list(lvis.frequency.items()) == [("ant", "r"), ("bat_(animal)", "c"), ("owl", "f")]
    assert lvis.negative == {"01": ["bat_(animal)", "owl"], "02.a": []}
    assert lvis.not_exhaustive == {"01": [], "02.a": ["ant"]}


def test_ids_of_a_frequency_are_those_of_the_evaluated_names(tmp_path: Path) -> None:
    lvis = read_lvis_metadata(written(tmp_path, []))
    assert lvis.ids_of_frequency("r", ["owl", "unknown", "ant"]) == [2]
    assert lvis.ids_of_frequency("c", ["owl", "ant"]) == []


def test_keys_are_image_times_categories_plus_category() -> None:
    lists = {"a": ["owl", "elsewhere"], "b": [], "c": ["ant", "owl"]}
    keys = image_category_keys(lists, ["val/c", "b", "a"], {"ant": 0, "bat": 1, "owl": 2})
    assert keys.tolist() == [0, 2, 2 * 3 + 2]
    assert image_category_keys({}, [], {}).tolist() == []


def test_an_image_that_is_not_in_the_lists_is_refused_with_its_name() -> None:
    with pytest.raises(ArtifactError) as refusal:
        image_category_keys({"a": []}, ["val/b"], {"ant": 0})
    assert str(refusal.value) == (
        "the annotations say nothing of image val/b; "
        "give --annotations the LVIS JSON of these images"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "as JSON: Expecting"),
        ("[]", "is not LVIS's JSON"),
        ('{"images": [], "categories": [{"id": 1, "name": "a"}]}', "it lacks 'frequency'"),
        ('{"images": [{"file_name": "a.jpg"}], "categories": []}', "it lacks 'neg_category_ids'"),
    ],
)
def test_a_file_that_is_not_lvis_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(SourceError, match=rf"x\.json {message}|x\.json.*{message}"):
        read_lvis_metadata(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot read .*gone\.json as JSON"):
        read_lvis_metadata(tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["owl", None], "has null in place of name 2"),
        (["owl", "ant", "owl"], r"has 'owl' more than once \(names 1 and 3\)"),
        (["caf\u00e9", "cafe\u0301"], r"\(U\+00E9\) and .* \(U\+0301\), which look alike"),
    ],
)
def test_categories_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, names: list[Any], fault: str
) -> None:
    path = written(tmp_path, [])
    kinds = [{"id": k, "name": name, "frequency": "f"} for k, name in enumerate(names)]
    path.write_text(json.dumps({"images": [], "categories": kinds[::-1]}))
    with pytest.raises(SourceError, match=rf"lvis\.json {fault}|lvis\.json has .*{fault}"):
        read_lvis_metadata(path)


def test_two_images_of_one_file_name_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, [image("a.jpg", [], []), image("train/a.png", [], [])])
    with pytest.raises(SourceError, match="has images of the same file name"):
        read_lvis_metadata(path)
