"""Item 10: the concept that the teacher gives a region, and whether the region is kept."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
import torch

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.features import FEATURES
from schemas.proposals import PROPOSALS
from stages.label import Label
from stages.labelling.concept_matching import match_concepts
from tests.in_memory import InMemory

TEMPERATURE = 0.01
CORNERS = ("x0", "y0", "x1", "y1")


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def softmax(logits: list[float]) -> list[float]:
    highest = max(logits)
    weights = [math.exp(value - highest) for value in logits]
    return [w / sum(weights) for w in weights]


def labelled(features: np.ndarray, embeddings: np.ndarray, images: list[str], **options):
    """The rows `rc label` gives for features (R, D) of `images`, in float32."""
    region = [images[:i].count(image) for i, image in enumerate(images)]
    rows = FEATURES.batch(
        {"image_id": images, "region": region, "feature": features.astype(np.float32)}
    )
    pool = CONCEPT_EMBEDDINGS.batch(
        {
            "concept_id": list(range(len(embeddings))),
            "concept": [f"c{i}" for i in range(len(embeddings))],
            "prompts": [1] * len(embeddings),
            "embedding": embeddings.astype(np.float32),
        }
    )
    corners = {side: [0.0 if side.endswith("0") else 9.0] * len(images) for side in CORNERS}
    proposed = PROPOSALS.batch(
        {
            "image_id": images,
            "region": region,
            **corners,
            "objectness": [0.5] * len(images),
            "objectness_logit": [0.0] * len(images),
        }
    )
    batches = {"features": rows, "embeddings": pool, "proposals": proposed}
    tables = {role: pa.Table.from_batches([batch]) for role, batch in batches.items()}
    stage = Label(temperature=TEMPERATURE, device="cpu", **options)
    return pa.Table.from_batches(stage.run(InMemory(tables)))


@pytest.mark.parametrize("concepts", [1, 7, 300])
def test_item_10_the_softmax_is_over_all_concepts_at_temperature_001(concepts: int) -> None:
    rng = np.random.default_rng(concepts)
    features = unit(rng.standard_normal((9, 16)))
    embeddings = unit(rng.standard_normal((concepts, 16)))
    matches = match_concepts(
        torch.from_numpy(features), torch.from_numpy(embeddings), TEMPERATURE, 5, (4, 64)
    )
    for i, feature in enumerate(features):
        cosines = [sum(a * b for a, b in zip(feature, e, strict=True)) for e in embeddings]
        expected = softmax([c / TEMPERATURE for c in cosines])
        best = max(range(concepts), key=expected.__getitem__)
        assert matches.indices[i, 0].item() == best
        kept = matches.indices[i].tolist()
        np.testing.assert_allclose(matches.probabilities[i], [expected[k] for k in kept], rtol=1e-9)
        residual = sum(p for k, p in enumerate(expected) if k not in kept)
        assert matches.residual[i].item() == pytest.approx(residual, abs=1e-12)


def test_item_10_lengths_of_features_and_embeddings_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    features, embeddings = rng.standard_normal((6, 8)), rng.standard_normal((5, 8))
    plain = labelled(unit(features), unit(embeddings), ["a"] * 6)
    longer = labelled(features * 3, embeddings * 7, ["a"] * 6)
    assert plain["concept_id"] == longer["concept_id"]
    np.testing.assert_allclose(plain["probability"], longer["probability"], rtol=2e-2)


def test_item_10_of_equal_cosines_the_first_concept_is_taken() -> None:
    axis = np.eye(4)[:1]
    embeddings = np.concatenate([np.eye(4)[1:2], axis, axis, axis])
    rows = labelled(axis, embeddings, ["a"])
    assert rows["concept_id"].to_pylist() == [1]
    assert rows["probability"].to_pylist() == pytest.approx([1 / 3])


def test_item_10_a_region_counts_only_strictly_above_a_tenth() -> None:
    # ten equal concepts: each has exactly a tenth; nine: more
    axis = np.eye(4)[:1]
    even = labelled(axis, np.repeat(axis, 10, axis=0), ["a"])
    assert even["probability"].to_pylist() == [pytest.approx(0.1)]
    assert even["probability"][0].as_py() == np.float32(0.1)
    assert even["kept"].to_pylist() == [False]
    assert labelled(axis, np.repeat(axis, 9, axis=0), ["a"])["kept"].to_pylist() == [True]


def test_item_10_where_nothing_counts_everything_can_be_kept() -> None:
    axis = np.eye(4)
    embeddings = np.repeat(axis[:1], 12, axis=0)
    unsure, images = axis[[0, 0]], ["a", "a"]
    assert labelled(unsure, embeddings, images)["kept"].to_pylist() == [False, False]
    kept = labelled(unsure, embeddings, images, keep_all_if_none=True)["kept"].to_pylist()
    assert kept == [True, True]


def test_item_10_one_sure_region_is_enough_to_keep_no_unsure_one() -> None:
    axis = np.eye(4)
    embeddings = np.concatenate([np.repeat(axis[:1], 12, axis=0), axis[1:2]])
    rows = labelled(axis[[0, 1, 0]], embeddings, ["a"] * 3, keep_all_if_none=True)
    assert rows["kept"].to_pylist() == [False, True, False]
