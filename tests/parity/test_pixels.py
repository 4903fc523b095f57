"""Items 5 to 7: the pixels that a network gets of an image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from stages.evaluate import Evaluate
from stages.evaluation.protocols import PRESETS
from stages.featurize import Featurize
from stages.models.clip_spec import architecture_spec
from stages.models.preprocess import Size, fit, prepare
from stages.models.region_encoding import encode_regions_batched
from stages.train import Train
from stages.training.augment import MultiScale
from stages.training.canvas import padded
from tests.parity import nets
from tests.parity.photographs import Picture, photograph, rendered
from tests.stages.models.tiny_rpn import tiny_rpn

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.slow

MEAN = (0.48145466, 0.4578275, 0.40821073)  # red, green, blue; of CLIP
STD = (0.26862954, 0.26130258, 0.27577711)
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def sides(height: int, width: int, shortest: int = 800, longest: int = 1333) -> tuple[int, int]:
    """The size as detectron2 computes it."""
    scale = shortest * 1.0 / min(height, width)
    new = [shortest, scale * width] if height < width else [scale * height, shortest]
    if max(new) > longest:
        again = longest * 1.0 / max(new)
        new = [side * again for side in new]
    return int(np.floor(new[0] + 0.5)), int(np.floor(new[1] + 0.5))


def preprocessed(
    picture: Picture, size: tuple[int, int], interpolation: str
) -> NDArray[np.float32]:
    """Resized by Pillow, in [0, 1], minus CLIP's mean, over its deviation: (3, h, w)."""
    resized = Image.fromarray(picture).resize(size[::-1], FILTERS[interpolation])
    values = np.asarray(resized).astype(np.float32) / np.float32(255)
    return ((values - np.float32(MEAN)) / np.float32(STD)).transpose(2, 0, 1)


def ours_and_published(picture: Picture, interpolation: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Our pixels, and those of the published code; boxes are scaled as the sides are."""
    size = sides(*picture.shape[:2])
    prepared = prepare(picture, Size(800, 1333), interpolation, MEAN, STD)
    assert tuple(prepared.pixels.shape) == (3, *size)
    assert prepared.scale == (size[1] / picture.shape[1], size[0] / picture.shape[0])
    return prepared.pixels.numpy(), preprocessed(picture, size, interpolation)


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize(
    ("height", "width"), [(120, 160), (160, 119), (40, 100), (173, 346), (800, 900)]
)
def test_item_05_every_pixel_of_a_rendered_picture_is_as_published(
    height: int, width: int, interpolation: str
) -> None:
    ours, published = ours_and_published(rendered(height, width), interpolation)
    assert np.array_equal(ours, published)


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("index", [0, 5])
def test_item_05_every_pixel_of_a_photograph_is_as_published(
    index: int, interpolation: str
) -> None:
    ours, published = ours_and_published(photograph(index), interpolation)
    assert np.array_equal(ours, published)


def test_item_05_a_new_model_takes_clips_mean_and_deviation(tmp_path: Path) -> None:
    path = tmp_path / "named.json"
    path.write_text(json.dumps(nets.config(64, [1, 1, 1, 1], 4, 12)))
    for architecture in ("RN50", "RN101", "RN50x4", str(path)):
        spec = architecture_spec(architecture)
        assert (spec.mean, spec.std) == (MEAN, STD)


@pytest.mark.parametrize("kind", ["rendered", "photograph"])
def test_item_05_a_detectron2_rpn_gets_blue_green_red_in_0_to_255(kind: str) -> None:
    picture = rendered(120, 160) if kind == "rendered" else photograph(1)
    mean = (103.530, 116.280, 123.675)  # blue, green, red
    rpn = tiny_rpn(channels="bgr", scale=255, mean=mean, std=(1.0, 1.0, 1.0))
    size = sides(*picture.shape[:2])
    actual = rpn.prepare(picture, Size(800, 1333)).pixels.numpy()
    resized = Image.fromarray(picture).resize(size[::-1], FILTERS["bilinear"])
    expected = np.asarray(resized)[:, :, ::-1].astype(np.float64) - mean
    np.testing.assert_allclose(actual, expected.transpose(2, 0, 1), atol=1e-4)


def test_item_06_every_size_of_image_is_resized_as_detectron2_does() -> None:
    rng = np.random.default_rng(0)
    for shortest in (800, 640, 672, 704, 736, 768):
        for height, width in rng.integers(30, 1500, (3000, 2)).tolist():
            if max(height, width) < 1333 * min(height, width) * 2:
                assert fit(height, width, shortest, 1333) == sides(height, width, shortest)


@pytest.mark.parametrize("height", [346, 550, 610, 619])
def test_item_06_a_side_that_falls_on_a_half_rounds_as_detectron2_does(height: int) -> None:
    for shortest in (800, 704, 736, 768):
        for image in ((height, 2 * height), (2 * height, height)):
            assert fit(*image, shortest, 1333) == sides(*image, shortest)


def test_item_06_each_setting_has_the_interpolation_it_was_published_with() -> None:
    assert Train().interpolation == "bicubic"
    assert Train().resize == ("800x1333",)
    assert {options["interpolation"] for options in PRESETS.values()} == {"bilinear"}
    assert Evaluate().resize == "800x1333"
    assert Featurize().resize == "800x1333"


def test_item_07_padding_is_zero_after_normalisation_and_only_to_the_largest_of_the_batch() -> None:
    pictures = [rendered(60, 80), rendered(90, 50)]
    ready = [prepare(p, Size(None), "bilinear", MEAN, STD).pixels for p in pictures]
    (batch,) = padded([ready])
    assert batch.shape == (2, 3, 90, 80)
    assert torch.equal(batch[0, :, :60], ready[0])
    assert not batch[0, :, 60:].any()
    assert torch.equal(batch[1, :, :, :50], ready[1])
    assert not batch[1, :, :, 50:].any()


def test_item_07_at_test_an_image_is_never_padded_by_its_neighbours(tmp_path: Path) -> None:
    clip = nets.thin(tmp_path, side=64)
    images = [torch.randn(3, *size, dtype=torch.float64) for size in ((64, 80), (96, 64), (64, 80))]
    boxes = [torch.tensor([[4.0, 4, 60, 60], [0, 0, 64, 64]]) for _ in images]
    together = encode_regions_batched(clip, images, boxes, 512)
    for image, of_image, features in zip(images, boxes, together, strict=True):
        with torch.no_grad():
            alone = clip.encode_regions(image[None], [of_image])
        np.testing.assert_allclose(features, alone.numpy(), rtol=1e-5, atol=1e-6)


def test_item_07_a_flipped_view_is_the_mirror_image_and_its_boxes_with_it(tmp_path: Path) -> None:
    picture, spec = rendered(50, 70), nets.thin(tmp_path, side=64).spec
    augment = MultiScale((Size(800, 1333),), flip=True, interpolation="bicubic", spec=spec)
    views = [augment(picture, np.random.default_rng(seed)) for seed in range(8)]
    assert {view.flipped for view in views} == {False, True}
    size = sides(50, 70)
    plain = preprocessed(picture, size, "bicubic")
    box = np.float32([[7, 5, 21, 30]])
    x, y = size[1] / 70, size[0] / 50
    for view in views:
        assert np.array_equal(view.pixels.numpy(), plain[:, :, ::-1] if view.flipped else plain)
        left, right = (size[1] - 21 * x, size[1] - 7 * x) if view.flipped else (7 * x, 21 * x)
        np.testing.assert_allclose(
            view.transform_boxes(box), [[left, 5 * y, right, 30 * y]], rtol=1e-6
        )
