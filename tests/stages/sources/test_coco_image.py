from __future__ import annotations

from pathlib import Path

from stages.sources.coco_image import CocoImage, Split


def test_an_image_is_named_by_its_split_and_lies_in_its_folder() -> None:
    image = CocoImage(Split("val", (), "photos"), "sub/a.b.jpg", 3)
    assert image.image_id == "val/sub/a.b"
    assert image.path == Path("photos/sub/a.b.jpg")
