from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from schemas.errors import SourceError
from stages.models.preprocess import Size
from stages.models.rpn import load_rpn
from stages.models.rpn_creation import create_rpn, fill_rpn
from stages.models.rpn_spec import RpnSpec
from tests.stages.models.tiny_rpn import SMALL, raw_boxes, saved, tiny_rpn
from tests.stages.models.torchvision_rpn import RESNET18, torchvision_detector

if TYPE_CHECKING:
    from pathlib import Path

AS_IT_IS = Size(None)


def picture(height: int, width: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.slow
@torch.no_grad()
def test_torchvision_weights_give_the_same_proposals_as_in_torchvision(tmp_path: Path) -> None:
    height, width = 100, 150  # no multiple of any stride
    detector = torchvision_detector(height, width)
    torch.save(detector.state_dict(), tmp_path / "detector.pth")
    rpn = create_rpn(RESNET18)
    unused, complete = fill_rpn(rpn, tmp_path / "detector.pth")
    assert complete
    assert unused == sum(name.startswith("roi_heads.") for name in detector.state_dict())

    image = picture(height, width)
    ((boxes, logits),) = raw_boxes(rpn, [image], AS_IT_IS, pre_nms=50)
    tensor = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    images, _ = detector.transform([tensor])
    (expected,), _ = detector.rpn(images, detector.backbone(images.tensors))
    order = np.argsort(-logits, kind="stable")
    sides = boxes[order][:, 2:] - boxes[order][:, :2]
    ours = boxes[order][(sides >= 1e-3).all(axis=1)]  # torchvision drops what is smaller
    assert len(ours) == len(expected) > 100
    np.testing.assert_allclose(ours, expected.numpy(), atol=1e-3)


@pytest.mark.slow
def test_a_saved_network_gives_the_same_boxes_after_loading(tmp_path: Path) -> None:
    rpn = tiny_rpn()
    loaded = load_rpn(*saved(rpn, tmp_path), "cpu")
    assert loaded.spec == rpn.spec
    ((boxes, logits),) = raw_boxes(loaded, [picture(50, 70)])
    ((expected, expected_logits),) = raw_boxes(rpn, [picture(50, 70)])
    np.testing.assert_array_equal(boxes, expected)
    np.testing.assert_array_equal(logits, expected_logits)


@pytest.mark.slow
def test_a_network_is_loaded_once_until_its_files_change(tmp_path: Path) -> None:
    config, weights = saved(tiny_rpn(), tmp_path)
    first = load_rpn(config, weights, "cpu")
    assert load_rpn(config, weights, "cpu") is first
    saved(tiny_rpn(seed=5, anchor_sizes=(16, 32, 48, 65)), tmp_path)
    assert load_rpn(config, weights, "cpu") is not first


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 70), (33, 200), (301, 40), (1, 1)])
def test_boxes_lie_in_the_original_image(height: int, width: int) -> None:
    ((boxes, logits),) = raw_boxes(tiny_rpn(), [picture(height, width)])
    assert boxes.dtype == logits.dtype == np.float32
    assert len(boxes) == len(logits) > 0
    assert (boxes >= 0).all()
    assert (boxes <= [width, height, width, height]).all()
    assert boxes[:, 2].max() > 0.9 * width


def test_boxes_of_an_image_do_not_depend_on_other_images() -> None:
    images = [picture(60, 90, 0), picture(96, 30, 1), picture(60, 90, 2)]
    rpn = tiny_rpn()
    together = raw_boxes(rpn, images)
    for image, (boxes, logits) in zip(images, together, strict=True):
        ((alone, alone_logits),) = raw_boxes(rpn, [image])
        np.testing.assert_array_equal(boxes, alone)
        np.testing.assert_array_equal(logits, alone_logits)


def test_the_highest_logits_of_each_map_are_kept() -> None:
    rpn = tiny_rpn()
    ((_, everything),) = raw_boxes(rpn, [picture(64, 96)], pre_nms=10**6)
    ((_, few),) = raw_boxes(rpn, [picture(64, 96)], pre_nms=5)
    cells = [8 * 12, 4 * 6, 2 * 3, 1 * 2]
    edges = np.cumsum([0, *[3 * n for n in cells]])
    assert len(everything) == edges[-1]
    best = [np.sort(everything[a:b])[::-1][:5] for a, b in pairwise(edges)]
    np.testing.assert_array_equal(few, np.concatenate(best))


@pytest.mark.slow
@pytest.mark.parametrize("neck", ["fpn", "c4"])
def test_as_many_boxes_come_from_a_map_as_its_neck_is_published_with(neck: str) -> None:
    sizes = (8, 16, 24, 32, 48) if neck == "c4" else (16, 32, 48, 64)
    rpn, image = tiny_rpn(neck=neck, anchor_sizes=sizes), picture(512, 512)
    ((_, everything),) = raw_boxes(rpn, [image], AS_IT_IS, pre_nms=10**6)
    ((_, ours),) = raw_boxes(rpn, [image], AS_IT_IS)
    if neck == "c4":
        edges, most = [0, 32 * 32 * 15], 6000
    else:
        edges, most = [0, *np.cumsum([3 * n * n for n in (64, 32, 16, 8)])], 1000
    assert len(everything) == edges[-1]
    best = [np.sort(everything[a:b])[::-1][:most] for a, b in pairwise(edges)]
    np.testing.assert_array_equal(ours, np.concatenate(best))


def test_swapping_channels_equals_swapping_them_in_the_spec() -> None:
    mean, std = (0.1, 0.2, 0.3), (1.0, 2.0, 3.0)
    rgb = tiny_rpn(mean=mean, std=std)
    bgr = tiny_rpn(mean=mean, std=std, channels="bgr")
    image = picture(64, 96)
    pixels = bgr.prepare(np.ascontiguousarray(image[:, :, ::-1]), AS_IT_IS).pixels
    assert torch.equal(pixels, rgb.prepare(image, AS_IT_IS).pixels)


def test_scale_255_means_values_from_0_to_255() -> None:
    mean, std = (103.53, 116.28, 123.675), (1.0, 1.0, 57.0)
    image = picture(20, 30)
    pixels = tiny_rpn(mean=mean, std=std, scale=255).prepare(image, AS_IT_IS).pixels.numpy()
    plain = (image.astype(np.float64) - mean) / std
    np.testing.assert_allclose(pixels, plain.transpose(2, 0, 1), rtol=1e-4, atol=1e-4)


def test_in_bfloat16_the_last_layers_are_exact_and_the_boxes_close() -> None:
    rpn, image = tiny_rpn(), picture(64, 96)
    prepared = rpn.prepare(image, AS_IT_IS)
    exact = rpn.raw_boxes(prepared, (96, 64), 10**6)
    rough = rpn.raw_boxes(prepared, (96, 64), 10**6, "bfloat16")
    for a, b in zip(exact, rpn.raw_boxes(prepared, (96, 64), 10**6), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(exact[1], rough[1])
    assert rough[0].dtype == rough[1].dtype == np.float32
    assert len(np.unique(rough[1])) > 0.9 * len(np.unique(exact[1]))  # no ties of rounded logits
    for level in np.unique(exact[2]):
        of_exact, of_rough = (np.sort(some[1][some[2] == level]) for some in (exact, rough))
        spread = np.ptp(of_exact) or 1.0
        np.testing.assert_allclose(of_rough, of_exact, atol=0.1 * spread)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["tf32", "float16", "bfloat16"])
def test_cuda_gives_close_logits_in_each_precision(precision: str) -> None:
    rpn = tiny_rpn().cuda()
    prepared = rpn.prepare(picture(64, 96), AS_IT_IS)
    _, exact, _ = rpn.raw_boxes(prepared, (96, 64), 10**6)
    _, rough, _ = rpn.raw_boxes(prepared, (96, 64), 10**6, precision)
    np.testing.assert_allclose(np.sort(rough), np.sort(exact), atol=0.1 * np.ptp(exact))


@pytest.mark.gpu
def test_cuda_gives_the_boxes_of_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    image = picture(64, 96)
    ((boxes, logits),) = raw_boxes(tiny_rpn(), [image], pre_nms=10**6)
    ((there, logits_there),) = raw_boxes(tiny_rpn().cuda(), [image], pre_nms=10**6)
    np.testing.assert_allclose(np.sort(logits_there), np.sort(logits), rtol=1e-3, atol=1e-3)
    assert there.shape == boxes.shape


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        ("lost statistics", "initial statistics"),
        ("missing", "missing rpn.head.bbox_pred.bias"),
        ("unexpected", "unexpected extra"),
        ("shape", r"is \(5,\), not \(3,\)"),
        ("nan", "NaN or infinite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, harm: str, complaint: str) -> None:
    config, weights = saved(tiny_rpn(), tmp_path)
    state = tiny_rpn().state_dict()
    if harm == "lost statistics":
        state = create_rpn(RpnSpec(**SMALL)).state_dict()
    elif harm == "missing":
        del state["rpn.head.bbox_pred.bias"]
    elif harm == "unexpected":
        state["extra"] = torch.zeros(1)
    elif harm == "shape":
        state["rpn.head.cls_logits.bias"] = torch.zeros(5)
    else:
        state["rpn.head.cls_logits.bias"][0] = torch.nan
    torch.save(state, weights.with_suffix(".pth"))
    with pytest.raises(SourceError, match=complaint):
        load_rpn(config, weights.with_suffix(".pth"), "cpu")


def test_a_pickle_that_holds_more_than_tensors_is_not_opened(tmp_path: Path) -> None:
    config, _ = saved(tiny_rpn(), tmp_path)
    torch.save({"weights": np.zeros(2), "f": Size}, tmp_path / "evil.pth")
    with pytest.raises(SourceError, match="objects other than tensors"):
        load_rpn(config, tmp_path / "evil.pth", "cpu")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    config, weights = saved(tiny_rpn(), tmp_path)
    weights.unlink()
    with pytest.raises(SourceError, match=r"weights\.safetensors is missing"):
        load_rpn(config, weights, "cpu")
