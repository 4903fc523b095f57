"""Images of a set that show what others show: by bytes, by pictures, in their own set."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.images import IMAGES
from schemas.quarantine import Reason
from stages.near_duplicates import image_set, picture_set
from stages.near_duplicates.image_set import (
    FoundDuplicates,
    ImageSet,
    compared_images,
    open_image_set,
)
from tests.stages.near_duplicates.smooth import Scene, jpeg, png

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from stages.near_duplicates.image_set import ComparedImage


def image_rows(contents: Mapping[str, bytes]) -> pa.RecordBatch:
    """Packed images with these bytes."""
    n = len(contents)
    columns: dict[str, Any] = {
        "image_id": list(contents),
        "source": ["folder"] * n,
        "uri": [f"{name}.jpg" for name in contents],
        "num_bytes": [len(content) for content in contents.values()],
        "sha256": [hashlib.sha256(content).hexdigest() for content in contents.values()],
        "format": ["JPEG"] * n,
        "width": [64] * n,
        "height": [64] * n,
        "orientation": [1] * n,
        "captions": [[]] * n,
        "objects": [[]] * n,
        "content": list(contents.values()),
        **{name: [None] * n for name in ("source_id", "split", "member", "offset")},
    }
    return IMAGES.batch(columns)


def images(contents: Mapping[str, bytes]) -> list[ComparedImage]:
    return list(compared_images([image_rows(contents)], loaders=0))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def test_files_and_pictures_are_found_again(rng: np.random.Generator) -> None:
    scene, stranger = Scene(rng), Scene(rng)
    content = jpeg(scene.pixels())
    part = png(scene.pixels(80, 60, (0.1, 0.05, 1.0, 0.95))[:, ::-1])
    known = ImageSet(images({"a": jpeg(stranger.pixels()), "b": content}))
    same, near, none = known.duplicates(
        images({"x": content, "y": part, "z": jpeg(Scene(rng).pixels())}), most=10
    )
    assert [(one.image_id, one.same_bytes) for one in same.listed] == [("b", True)]
    assert same.listed[0].agreement.similarity == 1
    (found,) = near.listed
    assert (found.image_id, found.same_bytes) == ("b", False)
    assert (found.agreement.mirrored, found.agreement.cropped) == (True, "image")
    assert none == FoundDuplicates([], more=False, cut=False)


def test_an_image_of_the_set_itself_has_earlier_duplicates_alone(rng: np.random.Generator) -> None:
    pixels = Scene(rng).pixels()
    of_set = images(
        {"a": png(pixels), "b": png(Scene(rng).pixels()), "c": png(pixels), "d": jpeg(pixels)}
    )
    found = ImageSet(of_set).duplicates(of_set, most=10, own=True)
    assert [[one.image_id for one in some.listed] for some in found] == [[], [], ["a"], ["a", "c"]]


def test_it_is_told_where_there_are_more_than_are_sought(rng: np.random.Generator) -> None:
    pixels = Scene(rng).pixels()
    known = ImageSet(images({f"{n}": jpeg(pixels, 80 + n) for n in range(5)}))
    (found,) = known.duplicates(images({"x": jpeg(pixels, 90)}), most=3)
    assert (len(found.listed), found.more, found.cut) == (3, True, False)
    (found,) = known.duplicates(images({"x": jpeg(pixels, 90)}), most=5)
    assert (len(found.listed), found.more) == (5, False)
    (found,) = known.duplicates(images({"x": jpeg(pixels, 82)}), most=1)
    assert [(one.image_id, one.same_bytes) for one in found.listed] == [("2", True)]
    assert found.more


def test_what_cannot_be_read_is_compared_by_its_bytes(rng: np.random.Generator) -> None:
    broken = jpeg(Scene(rng).pixels())[:300]
    known = ImageSet(images({"a": broken, "b": png(np.full((9, 9), 4, np.uint8))}))
    assert known.counts() == {"images": 2, "unreadable": 1, "plain": 1}
    ((image_id, refusal),) = known.unreadable
    assert image_id == "a"
    assert refusal.reason == Reason.UNREADABLE
    flat = np.full((9, 9), 5, np.uint8)
    same, plain = known.duplicates(images({"x": broken, "y": png(flat)}), most=10)
    assert [one.image_id for one in same.listed] == ["a"]
    assert plain.listed == []


def test_an_empty_set_has_no_duplicates(rng: np.random.Generator) -> None:
    (found,) = ImageSet([]).duplicates(images({"x": png(Scene(rng).pixels())}), most=1)
    assert found.listed == []


def test_it_is_told_where_too_many_are_similar(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_set, "MOST", 3)
    monkeypatch.setattr(image_set, "SAME", 2)  # none is a duplicate after all
    pixels = Scene(rng).pixels()
    known = ImageSet(images({f"{n}": jpeg(pixels, 80 + n) for n in range(4)}))
    (found,) = known.duplicates(images({"x": jpeg(pixels, 90)}), most=10)
    assert (found.listed, found.more, found.cut) == ([], False, True)


@pytest.mark.parametrize("loaders", [0, 1, 3])
def test_the_number_of_threads_changes_nothing(rng: np.random.Generator, loaders: int) -> None:
    rows = image_rows({f"{n}": jpeg(Scene(rng).pixels()) for n in range(6)})
    alone = list(compared_images([rows], loaders=0))
    others = list(compared_images([rows.slice(0, 4), rows.slice(4)], loaders))
    assert [one.image_id for one in others] == [one.image_id for one in alone]
    pairs = zip(alone, others, strict=True)
    assert all(np.array_equal(a.picture, b.picture) for a, b in pairs)


def test_a_set_is_made_once_for_all_parts(rng: np.random.Generator) -> None:
    rows, reads = image_rows({"a": png(Scene(rng).pixels())}), []

    def batches() -> list[pa.RecordBatch]:
        reads.append(1)
        return [rows]

    first = open_image_set("one", batches, 0)
    assert open_image_set("one", batches, 0) is first
    assert open_image_set("another", batches, 0) is not first
    assert len(reads) == 2
