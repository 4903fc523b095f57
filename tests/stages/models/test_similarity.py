"""What weights say of their cosines, and what is refused."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from schemas.errors import ArtifactError, SourceError
from stages.models.clip import Clip, create_clip, read_clip, save_clip
from stages.models.similarity import Similarity, chosen_bias, chosen_temperature
from tests.stages.models.tiny import config

if TYPE_CHECKING:
    from pathlib import Path


def weights(scale: Any, bias: Any = None) -> Any:
    return SimpleNamespace(logit_scale=torch.tensor(scale), logit_bias=bias)


def test_the_temperature_is_the_inverse_of_the_scale_to_six_digits() -> None:
    assert Similarity.of(weights(math.log(100))).temperature == 0.01
    assert Similarity.of(weights([math.log(20)])).temperature == 0.05  # of shape (1,)
    assert Similarity(0.0).temperature == 1.0
    assert Similarity(-0.5).temperature == pytest.approx(math.exp(0.5), rel=1e-5)


@pytest.mark.slow
def test_a_bias_is_there_if_the_network_has_one(tmp_path: Path) -> None:
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(config()))
    assert Similarity.of(create_clip(str(plain))).logit_bias is None
    biased = tmp_path / "biased.json"
    siglip = {"init_logit_bias": -10.0, "init_logit_scale": math.log(10)}
    biased.write_text(json.dumps(config() | siglip))
    clip = create_clip(str(biased))
    assert Similarity.of(clip).logit_bias == -10
    assert Similarity.of(clip).temperature == 0.1
    files = tmp_path / "model.json", tmp_path / "weights.safetensors"
    save_clip(clip, *files)
    again: Clip = read_clip(*files)
    assert Similarity.of(again) == Similarity.of(clip)


def test_it_is_the_same_after_it_was_written(tmp_path: Path) -> None:
    for similarity in (Similarity(4.6), Similarity(2.5, -16.5)):
        similarity.write(tmp_path / "s.json")
        assert Similarity.read(tmp_path / "s.json") == similarity


def test_weights_are_only_asked_if_the_temperature_is_the_teachers() -> None:
    assert chosen_temperature("teacher", lambda: 0.07) == 0.07
    assert chosen_temperature(2, lambda: 1 / 0) == 2.0


def test_weights_are_only_asked_for_a_bias_if_a_sigmoid_needs_it() -> None:
    assert chosen_bias("softmax", lambda: 1 / 0) is None
    assert chosen_bias("sigmoid", lambda: -2.5) == -2.5
    with pytest.raises(ArtifactError, match="no logit bias, so leave it at softmax"):
        chosen_bias("sigmoid", lambda: None)


@pytest.mark.parametrize(
    ("scale", "bias", "message"),
    [
        (math.nan, None, "a logit scale of nan, of which no temperature can be made"),
        (math.inf, None, "a logit scale of inf"),
        (-21.0, None, "a logit scale of -21"),
        (1.0, torch.tensor(math.nan), "a logit bias of nan: they are damaged"),
    ],
)
def test_damaged_weights_are_refused(scale: float, bias: Any, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        Similarity.of(weights(scale, bias))


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "3", "{}", '{"logit_scale": 1}', '{"logit_scale": "a", "logit_bias": null}',
        '{"logit_scale": [1], "logit_bias": null}', '{"logit_scale": 1, "logit_bias": {}}',
        "[" * 100_000, "\x00",
    ],
)  # fmt: skip
def test_a_file_that_is_no_similarity_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(SourceError, match="does not describe a similarity"):
        Similarity.read(tmp_path / "s.json")
    with pytest.raises(SourceError, match="does not describe a similarity"):
        Similarity.read(tmp_path / "gone.json")
