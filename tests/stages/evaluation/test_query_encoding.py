from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import SourceError
from stages.evaluation.query_encoding import encode_boxes, encode_text
from stages.evaluation.region_features import PoolingConfig, region_features
from stages.models.clip import load_clip
from stages.models.text_embeddings import embed_names
from tests.stages.models.tiny import tiny_files

if TYPE_CHECKING:
    from pathlib import Path

Files = tuple["Path", "Path"]


@pytest.fixture
def model(tmp_path: Path) -> Files:
    config, weights = tiny_files(tmp_path).values()
    return config, weights


def test_a_text_has_the_embedding_of_the_concept_of_that_name(model: Files) -> None:
    embedding = encode_text(model, "traffic light", "plain", "reference", "cpu")
    clip = load_clip(*model, "cpu")
    (expected,) = embed_names(clip, ["traffic light"], ["a photo of a {}."], "reference", 8)
    np.testing.assert_allclose(embedding, expected.numpy(), rtol=1e-5, atol=1e-6)
    assert embedding.dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("text", ["a cat", "The  cat ", " AN cat"])
def test_a_leading_article_and_extra_spaces_change_nothing(model: Files, text: str) -> None:
    expected = encode_text(model, "cat", "plain", "reference", "cpu")
    np.testing.assert_array_equal(encode_text(model, text, "plain", "reference", "cpu"), expected)


def test_a_word_that_only_begins_like_an_article_is_kept(model: Files) -> None:
    whole, rest = (encode_text(model, t, "plain", "reference", "cpu") for t in ("ant", "t"))
    assert not np.allclose(whole, rest, rtol=1e-3)


def test_templates_that_do_not_exist_are_refused(model: Files, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no prompt templates in"):
        encode_text(model, "cat", str(tmp_path / "gone.txt"), "reference", "cpu")


def test_boxes_have_the_features_of_regions(model: Files) -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 80, 3)).astype("u1")
    boxes = np.float32([[0, 0, 80, 64], [10, 10, 30, 40]])
    pooling = PoolingConfig("roialign", "none", "bilinear", 0.0)
    features = encode_boxes(model, image, boxes, pooling, "cpu")
    expected = region_features(load_clip(*model, "cpu"), image, boxes, pooling)
    np.testing.assert_array_equal(features, expected)
