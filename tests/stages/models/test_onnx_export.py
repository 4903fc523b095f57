from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from schemas.errors import OptionError
from stages.models.box_deltas import decode
from stages.models.clip import save_clip
from stages.models.detector import Detector, HeadSpec, save_detector
from stages.models.onnx_export import write_onnx
from stages.models.weights_export import ModelFiles
from tests.stages.models.tiny import tiny_clip

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SIZES = [(96, 128), (70, 133), (203, 64)]  # height, width


def session(path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def pixels_and_boxes(height: int, width: int, count: int, seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, 2, generator=rng) * torch.tensor([width, height])
    corners = corners.sort(dim=1).values
    boxes = torch.cat([corners[:, 0], corners[:, 1] + 1], dim=1)
    return torch.randn(1, 3, height, width, generator=rng), boxes


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> ModelFiles:
    folder = tmp_path_factory.mktemp("model")
    files = ModelFiles(folder / "model.json", folder / "weights.safetensors")
    save_clip(tiny_clip(folder), files.config, files.weights)
    return files


@pytest.fixture(scope="module")
def written(tmp_path_factory, files) -> Path:
    """The model as a file of ONNX, which takes seconds to write."""
    out = tmp_path_factory.mktemp("written") / "out.onnx"
    write_onnx(files, out)
    return out


@pytest.mark.parametrize("tower", ["resnet", "vit"])
def test_onnxruntime_embeds_regions_of_images_of_any_size_as_torch_does(tmp_path, tower) -> None:
    clip = tiny_clip(tmp_path, tower)
    files = ModelFiles(tmp_path / "model.json", tmp_path / "weights.safetensors")
    save_clip(clip, files.config, files.weights)
    assert write_onnx(files, tmp_path / "out.onnx") == ("features",)
    run = session(tmp_path / "out.onnx").run
    for seed, (height, width) in enumerate(SIZES):
        for count in (5, 1):
            pixels, boxes = pixels_and_boxes(height, width, count, seed)
            (features,) = run(None, {"pixels": pixels.numpy(), "boxes": boxes.numpy()})
            with torch.no_grad():
                expected = clip.encode_regions(pixels, [boxes]).numpy()
            assert np.abs(expected).max() > 0.1
            np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


def test_roialign_is_the_operator_of_that_name_with_half_pixels_and_adaptive_samples(
    written,
) -> None:
    graph = onnx.load(written)
    (node,) = (n for n in graph.graph.node if n.op_type == "RoiAlign")
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert attributes["coordinate_transformation_mode"] == b"half_pixel"
    assert attributes["sampling_ratio"] == 0
    assert attributes["spatial_scale"] == 1  # boxes are divided by the stride before
    (version,) = (o.version for o in graph.opset_import if o.domain == "")
    assert version >= 16


def test_the_metadata_describe_pixels_and_no_source_files(written, files) -> None:
    facts = session(written).get_modelmeta().custom_metadata_map
    assert json.loads(facts["mean"]) == files.content()["mean"]
    assert json.loads(facts["std"]) == files.content()["std"]
    content = written.read_bytes()
    assert b".py" not in content
    assert b"token_embedding" not in content  # the language encoder stays behind


@pytest.mark.parametrize("regression", ["agnostic", "specific", "none"])
def test_onnxruntime_detects_as_torch_does(tmp_path, regression) -> None:
    clip = tiny_clip(tmp_path)
    names = ("cat", "dog", "bus")
    detector = Detector(
        clip, HeadSpec(names, regression, "learned", temperature=0.1), torch.randn(3, clip.width)
    )
    if detector.bbox_pred is not None:
        torch.nn.init.normal_(detector.bbox_pred.weight, std=0.3)
    files = ModelFiles(tmp_path / "model.json", tmp_path / "weights.safetensors")
    save_detector(detector, files.config, files.weights)
    assert write_onnx(files, tmp_path / "out.onnx") == ("probabilities", "boxes_out")
    ready = session(tmp_path / "out.onnx")
    assert json.loads(ready.get_modelmeta().custom_metadata_map["categories"]) == list(names)
    for height, width in SIZES[:2]:
        pixels, boxes = pixels_and_boxes(height, width, 6, seed=height)
        probabilities, moved = ready.run(None, {"pixels": pixels.numpy(), "boxes": boxes.numpy()})
        expected = plainly(detector, pixels, boxes)
        assert probabilities.shape == (6, 4)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(probabilities, expected[0], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(moved, expected[1], rtol=1e-4, atol=1e-3)


@torch.no_grad()
def plainly(detector: Detector, pixels: torch.Tensor, boxes: torch.Tensor):
    """Probabilities, and boxes (6, 4) or (6, 3, 4), by loops and slices."""
    features = detector.clip.encode_regions(pixels, [boxes])
    texts = torch.cat([detector.embeddings, detector.background[None]])
    cosine = torch.nn.functional.cosine_similarity(features[:, None], texts[None], dim=2)
    deltas = detector.regress(features)
    moved = boxes if deltas is None else decode(boxes, deltas)
    if detector.head.regression == "specific":
        moved = moved.reshape(len(boxes), 3, 4)
    moved = moved.clone()
    for k, side in enumerate((pixels.shape[3], pixels.shape[2]) * 2):
        moved[..., k] = moved[..., k].clamp(0, side)
    return (cosine / detector.head.temperature).softmax(dim=1).numpy(), moved.numpy()


def test_no_boxes_give_no_features(written) -> None:
    feed = {"pixels": np.zeros((1, 3, 64, 64), np.float32), "boxes": np.zeros((0, 4), np.float32)}
    (features,) = session(written).run(None, feed)
    assert features.shape == (0, 32)


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_a_missing_library_is_refused_with_the_extra_to_install(
    tmp_path, files, monkeypatch, missing
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(OptionError, match=rf"needs the package {missing}; .*\[onnx\]"):
        write_onnx(files, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()
