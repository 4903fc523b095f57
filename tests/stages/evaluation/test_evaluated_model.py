from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from schemas.errors import ArtifactError, SourceError
from stages.evaluation.evaluated_model import EvaluatedModel, load_model
from stages.models.clip import create_clip
from tests.stages.models.tiny import config as tiny_config
from tests.stages.models.tiny import tiny_files

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def detector_model(deltas: Any = None, **head: Any) -> EvaluatedModel:
    """A model whose detector always regresses the same deltas."""
    values = {"categories": ("ant", "bee"), "temperature": 0.5, "background": "zero"}
    spec = SimpleNamespace(**{**values, "regression": "agnostic", "weights": WEIGHTS, **head})
    detector: Any = SimpleNamespace(
        clip="clip",
        head=spec,
        embeddings=torch.eye(2, dtype=torch.float16),
        background=torch.tensor([1.0, 2.0]),
        regress=lambda features: deltas,
    )
    return EvaluatedModel(detector.clip, detector)


def plain_move(box: list[float], delta: list[float]) -> list[float]:
    """Faster R-CNN's parametrisation, in float64."""
    width, height = box[2] - box[0], box[3] - box[1]
    x = box[0] + width / 2 + delta[0] / WEIGHTS[0] * width
    y = box[1] + height / 2 + delta[1] / WEIGHTS[1] * height
    w = math.exp(delta[2] / WEIGHTS[2]) * width
    h = math.exp(delta[3] / WEIGHTS[3]) * height
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def test_a_clip_has_no_categories_and_moves_no_boxes(tmp_path: Path) -> None:
    config, weights = tiny_files(tmp_path).values()
    model = load_model(config, weights, "cpu")
    assert model.detector is None
    assert (model.categories, model.regression) == ((), "none")
    assert model.temperature == 0.07  # open_clip's, before training
    assert (model.background, model.embeddings) == (None, None)
    boxes = np.float32([[1, 2, 3, 4]])
    assert model.move_boxes(np.zeros((1, model.clip.width), np.float32), boxes) is boxes


def test_a_detector_has_the_settings_of_its_head() -> None:
    model = detector_model()
    assert model.categories == ("ant", "bee")
    assert model.temperature == 0.5
    assert model.regression == "agnostic"
    embeddings = model.embeddings
    assert embeddings is not None
    assert embeddings.dtype == np.float32
    assert embeddings.tolist() == [[1, 0], [0, 1]]


@pytest.mark.slow
def test_a_bias_is_that_of_weights_trained_by_the_sigmoid_loss(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(tiny_config() | {"init_logit_bias": -7.0}))
    biased = EvaluatedModel(create_clip(str(tmp_path / "c.json")))
    assert (biased.bias("sigmoid"), biased.bias("softmax")) == (-7, None)
    with pytest.raises(ArtifactError, match="these have no logit bias"):
        load_model(*tiny_files(tmp_path).values(), "cpu").bias("sigmoid")
    with pytest.raises(ArtifactError, match="these have no logit bias"):
        detector_model().bias("sigmoid")


def test_a_detector_at_another_temperature_is_warned_of() -> None:
    assert detector_model().warnings(0.5) == []
    (warning,) = detector_model().warnings(0.25)
    assert warning == "the detector was trained at temperature 0.5, and judged at 0.25"


def test_only_a_learned_background_has_an_embedding() -> None:
    assert detector_model(background="zero").background is None
    learned = detector_model(background="learned").background
    assert learned is not None
    assert learned.tolist() == [1.0, 2.0]


def test_agnostic_regression_moves_each_box_once() -> None:
    rng = np.random.default_rng(2)
    boxes = np.float32([[10, 10, 30, 50], [0, 0, 8, 4]])
    deltas = rng.normal(size=(2, 4)).astype("f4")
    moved = detector_model(torch.from_numpy(deltas)).move_boxes(np.zeros((2, 3), "f4"), boxes)
    expected = [plain_move(b, d) for b, d in zip(boxes.tolist(), deltas.tolist(), strict=True)]
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-4)


def test_specific_regression_moves_each_box_for_every_category() -> None:
    rng = np.random.default_rng(3)
    boxes = np.float32([[10, 10, 30, 50], [0, 0, 8, 4], [5, 5, 9, 9]])
    deltas = rng.normal(size=(3, 2, 4)).astype("f4")
    model = detector_model(torch.from_numpy(deltas.reshape(3, 8)), regression="specific")
    moved = model.move_boxes(np.zeros((3, 3), "f4"), boxes)
    assert moved.shape == (3, 2, 4)
    for r, box in enumerate(boxes.tolist()):
        for k in range(2):
            expected = plain_move(box, deltas[r, k].tolist())
            np.testing.assert_allclose(moved[r, k], expected, rtol=1e-5, atol=1e-4)


def test_a_detector_without_regression_leaves_boxes_where_they_are() -> None:
    boxes = np.float32([[1, 2, 3, 4]])
    model = detector_model(None, regression="none")
    assert model.move_boxes(np.zeros((1, 3), "f4"), boxes) is boxes


def test_a_missing_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.json"):
        load_model(tmp_path / "gone.json", tmp_path / "gone.safetensors", "cpu")
