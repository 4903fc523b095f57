from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from schemas.errors import OptionError
from stages.evaluation import region_features as module
from stages.evaluation.region_features import PoolingConfig, region_features
from tests.stages.models.tiny import tiny_clip

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.models.clip import Clip

ROIALIGN = PoolingConfig("roialign", "none", "bilinear", 0.0)
CROP = PoolingConfig("crop", "none", "bicubic", 0.0)


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return tiny_clip(tmp_path, "vit")  # its features differ much from box to box


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 255, (96, 96, 3)).astype("u1")


def random_boxes(count: int) -> NDArray[np.float32]:
    corner = np.random.default_rng(4).uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + 20], axis=1).astype("f4")


def normalised(clip: Clip, pixels: NDArray[np.uint8]) -> torch.Tensor:
    """Pixels (1, 3, H, W) as the image tower takes them, by the plain formula."""
    values = torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (clip.spec.mean, clip.spec.std))
    return ((values - mean) / std)[None]


def test_roialign_pools_each_box_from_one_feature_map(clip: Clip, image: NDArray[np.uint8]) -> None:
    boxes = random_boxes(3)
    features = region_features(clip, image, boxes, ROIALIGN)
    with torch.no_grad():
        expected = clip.encode_regions(normalised(clip, image), [torch.from_numpy(boxes)])
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3)


def test_boxes_are_scaled_with_the_resized_image(clip: Clip, image: NDArray[np.uint8]) -> None:
    boxes = random_boxes(2)
    small = Image.fromarray(image).resize((48, 48), Image.Resampling.BILINEAR)
    expected = region_features(clip, np.asarray(small), boxes / 2, ROIALIGN)
    resized = region_features(clip, image, boxes, replace(ROIALIGN, resize="48x96"))
    np.testing.assert_allclose(resized, expected, rtol=1e-3, atol=1e-3)


def test_dense_tokens_are_those_asked_for(clip: Clip, image: NDArray[np.uint8]) -> None:
    boxes = random_boxes(3)
    auto, other = (
        region_features(clip, image, boxes, replace(ROIALIGN, dense=dense))
        for dense in ("value-path", "last-block")
    )
    assert np.array_equal(auto, region_features(clip, image, boxes, ROIALIGN))
    assert np.abs(auto - other).max() > 0.1


def test_the_options_of_a_stage_say_how_features_are_made() -> None:
    options = {"resize": "native", "dense": "last-block", "crop_margin": 0.5, "device": "cpu"}
    expected = PoolingConfig("roialign", "native", None, 0.5, "last-block")
    assert PoolingConfig.of(options) == expected


def test_a_crop_is_encoded_as_an_image(clip: Clip, image: NDArray[np.uint8]) -> None:
    whole = np.float32([[0, 0, 96, 96]])
    (feature,) = region_features(clip, image, whole, CROP)
    square = np.asarray(Image.fromarray(image).resize((64, 64), Image.Resampling.BICUBIC))
    with torch.no_grad():
        (expected,) = clip.encode_images(normalised(clip, square))
    np.testing.assert_allclose(feature, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("box", "span_x", "span_y"),
    [
        ([20, 30, 68, 54], (8, 80), (24, 60)),  # a quarter more on each side
        ([8, 16, 56, 40], (0, 68), (10, 46)),  # 8 - 12 is outside, so the crop begins at 0
    ],
)
def test_a_crop_takes_in_its_margin_as_far_as_the_image_reaches(
    box: list[float], span_x: tuple[int, int], span_y: tuple[int, int]
) -> None:
    y, x = np.mgrid[:96, :96].astype("u1")
    ramps = np.stack([x, y, np.zeros_like(x)], axis=2)  # a pixel says where it is
    spec = SimpleNamespace(image_size=8, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    clip: Any = SimpleNamespace(
        spec=spec, width=3, logit_scale=torch.zeros(()), encode_images=lambda pixels: pixels
    )
    config = PoolingConfig("crop", "none", "bilinear", crop_margin=0.25)
    (pixels,) = region_features(clip, ramps, np.float32([box]), config) * 255
    centre = np.arange(8) + 0.5
    for channel, (low, high) in ((pixels[0, 4], span_x), (pixels[1, :, 4], span_y)):
        expected = low + centre * (high - low) / 8 - 0.5
        np.testing.assert_allclose(channel[1:], expected[1:], atol=0.6)  # the first meets the edge


@pytest.mark.parametrize("config", [ROIALIGN, CROP])
def test_features_do_not_depend_on_how_many_boxes_share_a_batch(
    clip: Clip, image: NDArray[np.uint8], config: PoolingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = random_boxes(5)
    together = region_features(clip, image, boxes, config)
    monkeypatch.setattr(module, "_REGIONS_PER_BATCH", 2)
    in_batches = region_features(clip, image, boxes, config)
    np.testing.assert_allclose(in_batches, together, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("config", [ROIALIGN, CROP])
def test_no_boxes_have_no_features(
    clip: Clip, image: NDArray[np.uint8], config: PoolingConfig
) -> None:
    features = region_features(clip, image, np.zeros((0, 4), np.float32), config)
    assert features.shape == (0, clip.width)
    assert features.dtype == np.float32


def test_a_box_thinner_than_a_pixel_or_outside_can_still_be_cropped(
    clip: Clip, image: NDArray[np.uint8]
) -> None:
    boxes = np.float32([[5, 5, 5.01, 5.01], [95.99, 0, 96, 96], [200, 200, 300, 300]])
    features = region_features(clip, image, boxes, CROP)
    assert features.shape == (3, clip.width)
    assert np.isfinite(features).all()


def test_the_interpolation_is_used_for_image_and_crops(
    clip: Clip, image: NDArray[np.uint8]
) -> None:
    boxes = random_boxes(1)
    for config in (replace(ROIALIGN, resize="48x96"), CROP):
        bilinear, bicubic, chosen = (
            region_features(clip, image, boxes, replace(config, interpolation=name))
            for name in ("bilinear", "bicubic", None)
        )
        assert np.abs(bilinear - bicubic).max() > 0.02
        assert np.array_equal(chosen, bicubic if config.pooling == "crop" else bilinear)


@pytest.mark.parametrize("config", [ROIALIGN, CROP])
def test_another_precision_gives_close_features(
    clip: Clip, image: NDArray[np.uint8], config: PoolingConfig
) -> None:
    boxes = random_boxes(4)
    exact = region_features(clip, image, boxes, config)
    rough = region_features(clip, image, boxes, replace(config, computed_in="bfloat16"))
    assert not np.array_equal(exact, rough)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(rough, axis=1)
    assert ((exact * rough).sum(axis=1) / lengths).min() > 0.99
    assert np.array_equal(exact, region_features(clip, image, boxes, config))


def test_features_beyond_float16_are_refused_with_what_to_give(
    clip: Clip, image: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "computing_in", lambda *_: nullcontext())  # a CPU has no float16
    too_large = torch.tensor([[1.0, torch.inf]])
    monkeypatch.setattr(module, "_roialign_features", lambda *_: too_large)
    with pytest.raises(OptionError, match=r"not finite in float16.* give --precision bfloat16"):
        region_features(clip, image, random_boxes(1), replace(ROIALIGN, computed_in="float16"))
    region_features(clip, image, random_boxes(1), ROIALIGN)  # what is finite is not asked


def test_a_precision_among_stored_options_is_not_that_of_a_search() -> None:
    assert PoolingConfig.of({"precision": "tf32", "resize": "none"}) == PoolingConfig(resize="none")
    assert PoolingConfig.of({"resize": "none"}, "bfloat16").computed_in == "bfloat16"
