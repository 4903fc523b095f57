"""Images as small squares of brightness."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from schemas.errors import ChangedImageError, SourceError
from schemas.quarantine import Reason
from stages.near_duplicates.grey_pictures import SIDE, grey_picture, load_grey_picture
from stages.pixels import Refusal, decode
from tests.stages.near_duplicates.smooth import Scene, jpeg, png, saved


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:  # type: ignore[type-arg]
    return Scene(np.random.default_rng()).pixels(700, 500)


def row(content: bytes) -> dict[str, object]:
    sha256 = hashlib.sha256(content).hexdigest()
    return {"image_id": "a", "uri": "a.jpg", "orientation": 1, "sha256": sha256, "content": content}


def test_a_jpeg_decoded_at_a_fraction_is_nearly_the_shrunken_image(pixels) -> None:  # type: ignore[no-untyped-def]
    content = jpeg(pixels)
    whole = Image.fromarray(decode(content, 1)).convert("L")
    expected = np.asarray(whole.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    found = grey_picture(content, 1)
    assert found.shape == (SIDE, SIDE)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - expected).mean() < 2


@pytest.mark.parametrize("name", ["PNG", "BMP", "WEBP"])
def test_every_format_gives_nearly_the_same_picture(pixels, name: str) -> None:  # type: ignore[no-untyped-def]
    difference = grey_picture(saved(pixels, name), 1).astype(int) - grey_picture(jpeg(pixels), 1)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_the_right_way_up(pixels, orientation: int) -> None:  # type: ignore[no-untyped-def]
    for content in (png(pixels), jpeg(pixels)):
        upright = png(decode(content, orientation)[:, :, 0])
        difference = grey_picture(content, orientation).astype(int) - grey_picture(upright, 1)
        assert np.abs(difference).mean() < 2


def test_tiny_and_cmyk_images_have_pictures_too(pixels) -> None:  # type: ignore[no-untyped-def]
    tiny = np.array([[0, 255], [0, 255]], np.uint8)
    assert grey_picture(jpeg(tiny), 1).shape == (SIDE, SIDE)
    file = io.BytesIO()
    Image.fromarray(pixels).convert("CMYK").save(file, "JPEG")
    difference = grey_picture(file.getvalue(), 1).astype(int) - grey_picture(jpeg(pixels), 1)
    assert np.abs(difference).mean() < 3


def test_what_cannot_be_decoded_is_refused(pixels) -> None:  # type: ignore[no-untyped-def]
    content = jpeg(pixels)
    with pytest.raises(Refusal) as refused:
        grey_picture(content[: len(content) // 2], 1)
    assert refused.value.reason in (Reason.TRUNCATED, Reason.UNREADABLE)
    with pytest.raises(SourceError, match=r"a in a\.jpg is (truncated|unreadable)"):
        load_grey_picture(row(content[: len(content) // 2]))


def test_an_image_that_is_gone_or_another_is_an_error(tmp_path, pixels) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.png"
    path.write_bytes(png(pixels))
    referenced = {
        **row(b""),
        "content": None,
        "uri": str(path),
        "source": "folder",
        "member": None,
        "offset": None,
        "num_bytes": path.stat().st_size,
    }
    with pytest.raises(ChangedImageError):
        load_grey_picture(referenced)
    path.unlink()
    with pytest.raises(SourceError, match="which is gone"):
        load_grey_picture(referenced)
