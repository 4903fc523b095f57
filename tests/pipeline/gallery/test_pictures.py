"""Images and crops as small JPEGs, and the cache that holds them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pipeline.gallery import pictures
from pipeline.gallery.pictures import PictureCache, jpeg
from schemas.errors import SourceError

if TYPE_CHECKING:
    from starlette.testclient import TestClient


class SolidImages:
    """In place of a connection pool: a grey image for every id, and a record of the queries."""

    def __init__(self, width: int = 300, height: int = 200, other_set: str = "") -> None:
        self.size, self.other_set = (width, height), other_set
        self.queries: list[tuple[str, str]] = []

    def query(self, statement: str, values: list[str], labels: str) -> list[dict[str, Any]]:
        self.queries.append((values[0], labels))
        if values[0] == "missing" or (self.other_set and labels != self.other_set):
            return []
        buffer = io.BytesIO()
        Image.new("RGB", self.size, "#808080").save(buffer, "PNG")
        width, height = self.size
        content = {"content": buffer.getvalue(), "orientation": 1, "source": "folder"}
        return [{"image_id": values[0], "uri": "x", "width": width, "height": height, **content}]

    def address_with_image(self, image_id: str, labels: str) -> str:
        return self.other_set


def size_of(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "JPEG"
        return picture.size


def cache_of(pool: SolidImages) -> PictureCache:
    return PictureCache(pool)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [((400, 100), 200, (200, 50)), ((100, 400), 200, (50, 200)), ((40, 30), 200, (40, 30))],
)
def test_a_jpeg_is_scaled_down_and_never_up(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    picture = Image.new("RGB", size)
    assert size_of(jpeg(picture, side)) == expected
    assert picture.size == size


@pytest.mark.parametrize(("size", "longest"), [("thumb", 240), ("full", 300)])
def test_an_image_has_at_most_the_longest_side_of_its_size(size: str, longest: int) -> None:
    assert max(size_of(cache_of(SolidImages()).image("a", size))) == longest


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((100, 50, 200, 100), (92, 42, 208, 108)),  # a margin of 8 % of the longer side
        ((100, 50, 110, 60), (98, 48, 112, 62)),  # but at least 2 pixels
        ((0, 0, 300, 200), (0, 0, 300, 200)),
        ((-50, -50, 9999, 20), (0, 0, 300, 44)),
        ((500, 500, 600, 600), (298, 198, 300, 200)),  # outside: the nearest corner
        ((150, 90, 150, 90), (148, 88, 152, 92)),
    ],
)
def test_a_crop_is_the_box_with_a_margin_inside_the_image(
    box: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    rows, columns = np.mgrid[0:200, 0:300]
    pixels = np.stack([columns % 256, rows, columns // 256], axis=2).astype(np.uint8)
    crop = np.asarray(pictures._crop(Image.fromarray(pixels), box))
    x0, y0, x1, y1 = expected
    np.testing.assert_array_equal(crop, pixels[y0:y1, x0:x1])


def test_a_crop_is_never_empty() -> None:
    rng = np.random.default_rng(5)
    picture = Image.new("RGB", (30, 20))
    for _ in range(200):
        box = rng.integers(-60, 90, 4).tolist()
        assert min(pictures._crop(picture, box).size) >= 1


def test_a_picture_is_read_only_once() -> None:
    pool = SolidImages()
    cache = cache_of(pool)
    first = cache.image("a", "thumb")
    assert cache.image("a", "thumb") is first
    assert cache.crop("a", [1.2, 2, 30.4, 40]) == cache.crop("a", [1, 2.4, 30, 40])
    assert pool.queries == [("a", ""), ("a", "")]  # one for the image, one for the crop


def test_the_same_id_under_other_labels_is_another_picture() -> None:
    pool = SolidImages()
    cache = cache_of(pool)
    cache.image("a", "thumb", "one")
    cache.image("a", "thumb", "two")
    assert pool.queries == [("a", "one"), ("a", "two")]


def test_the_least_recently_used_pictures_leave_a_full_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = SolidImages()
    cache = cache_of(pool)
    num_bytes = len(cache.image("a", "thumb"))
    monkeypatch.setattr(pictures, "_CACHE_BYTES", 2 * num_bytes)
    cache.image("b", "thumb")
    cache.image("a", "thumb")  # now b is the least recently used
    cache.image("c", "thumb")
    pool.queries.clear()
    for image_id in ("a", "c", "b"):
        cache.image(image_id, "thumb")
    assert pool.queries == [("b", "")]


def test_an_image_of_another_set_than_the_labels_is_shown_too() -> None:
    pool = SolidImages(other_set="images/v1-2")
    assert size_of(cache_of(pool).image("a", "full", "pseudo_labels/v2-1")) == (300, 200)
    assert pool.queries == [("a", "pseudo_labels/v2-1"), ("a", "images/v1-2")]


def test_an_unknown_image_is_reported() -> None:
    with pytest.raises(SourceError, match="there is no such image in the store"):
        cache_of(SolidImages()).crop("missing", [0, 0, 1, 1])


def test_the_server_sends_jpegs_of_rows_of_the_store(client: TestClient) -> None:
    for path, side in (("thumb?id=scenes/000001", 240), ("full?id=scenes/000001", 320)):
        answer = client.get(f"/picture/{path}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert max(size_of(answer.content)) == side
    for box in ("-50,-50,9999,20", "-1e308,-1e308,1e308,1e308", "9e9,9e9,9.1e9,9.1e9"):
        assert client.get(f"/picture/crop?id=scenes/000001&box={box}").status_code == 200
