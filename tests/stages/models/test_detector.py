from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
import torch

from schemas.errors import SourceError
from stages.models.box_deltas import decode
from stages.models.clip import save_clip
from stages.models.detector import (
    Detector,
    HeadSpec,
    is_detector,
    load_detector,
    predict,
    read_detector,
    save_detector,
)
from stages.models.weights import read_state, write_state
from tests.stages.models.random_boxes import boxes
from tests.stages.models.tiny import tiny_clip

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip

pytestmark = pytest.mark.slow

NAMES = ("cat", "dog", "bus")


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Clip:
    return tiny_clip(tmp_path_factory.mktemp("clip"))


def make(clip: Clip, regression: str = "agnostic", background: str = "zero") -> Detector:
    """A detector with random embeddings and a box layer whose effect can be seen."""
    torch.manual_seed(0)
    head = HeadSpec(NAMES, regression, background, temperature=0.1)
    detector = Detector(clip, head, torch.randn(3, clip.width) * 3).eval()
    if detector.bbox_pred is not None:
        torch.nn.init.normal_(detector.bbox_pred.weight, std=0.5)
        torch.nn.init.normal_(detector.bbox_pred.bias)
    return detector.requires_grad_(False)


def saved(detector: Detector, folder: Path, dtype: str = "float32") -> tuple[Path, Path]:
    files = folder / "model.json", folder / "weights.safetensors"
    save_detector(detector, *files, dtype)
    return files


@pytest.mark.parametrize("background", ["zero", "learned"])
def test_logits_are_cosines_over_the_temperature(clip, background) -> None:
    detector = make(clip, background=background)
    features = torch.randn(4, clip.width).double() * 7
    logits = detector.classify(features)
    assert logits.shape == (4, 4)
    for row, feature in zip(logits.tolist(), features.tolist(), strict=True):
        for column, text in zip(row, [*detector.embeddings.tolist(), None], strict=True):
            vector = detector.background.tolist() if text is None else text
            length = math.sqrt(sum(v * v for v in vector) * sum(f * f for f in feature))
            dot = sum(f * v for f, v in zip(feature, vector, strict=True))
            assert column == pytest.approx(dot / length / 0.1 if length else 0, rel=1e-6)


def test_other_embeddings_replace_those_of_the_learned_categories(clip) -> None:
    detector = make(clip)
    features, texts = torch.randn(2, clip.width), torch.randn(5, clip.width)
    expected = torch.nn.functional.cosine_similarity(features[:, None], texts[None], dim=2) / 0.1
    logits = detector.classify(features, texts)
    torch.testing.assert_close(logits[:, :5], expected)
    assert not logits[:, 5].any()


@pytest.mark.parametrize(("regression", "count"), [("agnostic", 4), ("specific", 12), ("none", 0)])
def test_the_kind_of_regression_decides_the_number_of_deltas(clip, regression, count) -> None:
    detector = make(clip, regression)
    assert detector.head.num_deltas == count
    deltas = detector.regress(torch.randn(2, clip.width))
    assert (deltas is None) if count == 0 else (deltas.shape == (2, count))


def test_a_new_box_layer_has_small_random_weights_of_torchs_generator(clip) -> None:
    layers = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        layers.append(Detector(clip, HeadSpec(NAMES, "specific")).bbox_pred)
    assert torch.equal(layers[0].weight, layers[1].weight)
    assert not torch.equal(layers[0].weight, layers[2].weight)
    assert layers[0].weight.std().item() == pytest.approx(0.001, rel=0.2)
    assert not layers[0].bias.any()


def test_only_a_learned_background_is_a_parameter(clip) -> None:
    for background, count in (("zero", 0), ("learned", 1)):
        detector = Detector(clip, HeadSpec(NAMES, background=background))
        names = [name for name, _ in detector.layers.named_parameters()]
        assert names.count("background") == count
        assert "embeddings" not in names
        assert detector.background.any() == bool(count)


def test_embeddings_of_another_shape_are_refused(clip) -> None:
    with pytest.raises(SourceError) as caught:
        Detector(clip, HeadSpec(NAMES), torch.zeros(2, 7))
    assert str(caught.value) == (
        "3 categories in a space 32 wide need embeddings of shape (3, 32), got (2, 7); embed the "
        "names with this model"
    )


@pytest.mark.parametrize("regression", ["agnostic", "specific", "none"])
def test_predicted_boxes_are_moved_and_clipped_to_the_image(clip, regression) -> None:
    detector = make(clip, regression)
    features, start = torch.randn(6, clip.width), boxes(6, 1)
    probabilities, moved = predict(detector, features, start, (70, 90))
    assert probabilities.dtype == torch.float64
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(6).double())
    expected = detector.classify(features.double()).softmax(dim=1)
    torch.testing.assert_close(probabilities, expected)
    deltas = detector.regress(features)
    plain = start if deltas is None else decode(start, deltas)
    plain = plain.reshape(6, -1, 4)
    plain = torch.stack([plain[..., 0::2].clamp(0, 90), plain[..., 1::2].clamp(0, 70)], dim=-1)
    assert moved.shape == ((6, 3, 4) if regression == "specific" else (6, 4))
    torch.testing.assert_close(moved, plain.flatten(2).reshape(moved.shape))


def test_an_image_without_regions_has_no_predictions(clip) -> None:
    probabilities, moved = predict(
        make(clip, "specific"), torch.zeros(0, clip.width), torch.zeros(0, 4), (9, 9)
    )
    assert probabilities.shape == (0, 4)
    assert moved.shape == (0, 3, 4)


def test_boxes_of_learned_categories_are_refused_for_others(clip) -> None:
    arguments = torch.zeros(2, clip.width), boxes(2, 0), (9, 9), torch.randn(5, clip.width)
    with pytest.raises(SourceError, match="for each of its 3 categories, so it cannot detect 5"):
        predict(make(clip, "specific"), *arguments)
    assert predict(make(clip), *arguments)[0].shape == (2, 6)


@pytest.mark.parametrize("background", ["zero", "learned"])
@pytest.mark.parametrize("regression", ["agnostic", "specific", "none"])
def test_a_saved_detector_is_read_back_unchanged(tmp_path, clip, regression, background) -> None:
    detector = make(clip, regression, background)
    again = read_detector(*saved(detector, tmp_path))
    assert again.head == detector.head
    assert again.clip.spec == clip.spec
    assert not again.training
    assert all(parameter.requires_grad for parameter in again.parameters())
    state = again.state_dict()
    assert state.keys() == detector.state_dict().keys()
    assert all(torch.equal(state[n], v) for n, v in detector.state_dict().items())


def test_equal_detectors_give_equal_bytes_and_half_precision_is_read_as_single(
    tmp_path, clip
) -> None:
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        files = saved(make(clip), tmp_path / name, "float16")
        contents.append([path.read_bytes() for path in files])
    assert contents[0] == contents[1]
    again = read_detector(*files)
    assert again.embeddings.dtype == torch.float32
    assert torch.equal(again.embeddings, make(clip).embeddings.half().float())


def test_a_loaded_detector_is_frozen_and_shared(tmp_path, clip) -> None:
    files = saved(make(clip), tmp_path)
    first = load_detector(*files, "cpu")
    assert load_detector(*files, "cpu") is first
    assert not any(parameter.requires_grad for parameter in first.parameters())


def test_a_file_with_other_tensors_is_refused(tmp_path, clip) -> None:
    config, weights = saved(make(clip), tmp_path)
    write_state(read_state(weights) | {"extra": torch.zeros(1)}, weights, torch.float32)
    with pytest.raises(SourceError, match="holds 'extra', which no detector has"):
        read_detector(config, weights)


def test_a_description_of_a_detector_is_distinguished_from_that_of_a_clip(tmp_path, clip) -> None:
    config, _ = saved(make(clip), tmp_path)
    assert is_detector(config)
    save_clip(clip, tmp_path / "clip.json", tmp_path / "clip.safetensors")
    assert not is_detector(tmp_path / "clip.json")
    with pytest.raises(SourceError, match=r"none.json is not a readable description of a model"):
        is_detector(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not the description of a detector"),
        ("{}", "is not the description of a detector: 'detector'"),
        ({"temperature": "hot"}, "could not convert string to float: 'hot'"),
        ({"categories": 3}, "is not the description of a detector"),
        ({"regression": "sideways"}, "a detector of a kind unknown here"),
        ({"background": "blue"}, "a detector of a kind unknown here"),
    ],
)
def test_a_wrong_description_is_refused(tmp_path, clip, content, message) -> None:
    config, _ = saved(make(clip), tmp_path)
    if isinstance(content, dict):
        whole = json.loads(config.read_text())
        whole["detector"] |= content
        content = json.dumps(whole)
    config.write_text(content)
    with pytest.raises(SourceError, match=message):
        HeadSpec.read(config)
