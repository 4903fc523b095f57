"""What images lack, against a plain computation in float64, and the edges by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stages.labelling.label_similarity import LabelSimilarity
from stages.labelling.near_synonyms import NEAR, centred
from stages.labelling.presence import BestRegions, PresenceRule, best_regions, find_presence

SOFTMAX, SIGMOID = (LabelSimilarity(0.05, bias, given=True) for bias in (None, -3.0))


def units(rng: np.random.Generator, rows: int, width: int) -> Any:
    values = rng.normal(size=(rows, width))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def plain_probabilities(cosines: Any, scale: LabelSimilarity) -> Any:
    logits = cosines / scale.temperature
    if scale.bias is not None:
        return 1 / (1 + np.exp(-logits - scale.bias))
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("scale", [SOFTMAX, SIGMOID])
@pytest.mark.parametrize("block", [1, 4, 100])
def test_the_best_regions_are_those_of_brute_force(scale: LabelSimilarity, block: int) -> None:
    rng = np.random.default_rng()
    features, embeddings = units(rng, 13, 8), units(rng, 40, 8)
    cosines = features.astype(np.float64) @ embeddings.astype(np.float64).T
    best = best_regions(torch.from_numpy(features), torch.from_numpy(embeddings), scale, block)
    np.testing.assert_allclose(best.cosines, cosines.max(axis=0), atol=1e-6)
    np.testing.assert_allclose(
        best.probabilities, plain_probabilities(cosines, scale).max(axis=0), rtol=1e-4
    )
    assert best.regions.tolist() == cosines.argmax(axis=0).tolist()


def test_of_equal_regions_the_first_is_named_in_blocks_of_any_size() -> None:
    features = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    for block in (1, 2, 3):
        best = best_regions(features, torch.tensor([[1.0, 0.0]]), SOFTMAX, block)
        assert (best.regions.tolist(), best.probabilities.tolist()) == ([1], [1.0])


def test_unmet_and_absent_are_those_of_brute_force() -> None:
    rng = np.random.default_rng()
    vectors = centred(rng.normal(size=(50, 5)))
    near = vectors.astype(np.float64) @ vectors.astype(np.float64).T >= NEAR
    for _ in range(20):
        cosines, chances = rng.integers(0, 9, 50) / 10, rng.random(50) ** 8  # with ties
        mentioned = rng.random(50) < 0.06
        rule = PresenceRule(int(rng.integers(1, 60)), 0.2, 0.01)
        found = find_presence(
            BestRegions(*map(torch.from_numpy, (cosines, np.zeros(50, np.int64), chances))),
            torch.from_numpy(mentioned),
            torch.from_numpy(vectors),
            rule,
        )
        related = [{c for c in range(50) if near[c, d]} | {d} for d in range(50)]
        unmet = [
            c
            for c in np.flatnonzero(mentioned).tolist()
            if all(chances[other] <= 0.2 for other in related[c])
        ]
        lacking = [
            c
            for c in range(50)
            if not any(mentioned[other] or chances[other] > 0.01 for other in related[c])
        ]
        hardest = sorted(lacking, key=lambda c: (-cosines[c], c))[: rule.count]
        assert found.unmet.tolist() == unmet
        assert found.absent.tolist() == hardest
        assert found.lacking == len(lacking)


def test_a_near_synonym_is_neither_absent_nor_lets_a_mention_be_unmet() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.0]])  # 0 and 1 are near
    places = torch.zeros(3, dtype=torch.int64)
    rule = PresenceRule(3, 0.1, 0.01)
    seen = BestRegions(torch.zeros(3), places, torch.tensor([0.9, 0.0, 0.0]))
    found = find_presence(seen, torch.tensor([False, True, False]), vectors, rule)
    assert (found.unmet.tolist(), found.absent.tolist()) == ([], [2])
    unseen = BestRegions(torch.zeros(3), places, torch.zeros(3))
    found = find_presence(unseen, torch.tensor([False, True, False]), vectors, rule)
    assert (found.unmet.tolist(), found.absent.tolist()) == ([1], [2])


def test_of_a_pool_of_one_nothing_is_absent_that_is_mentioned() -> None:
    alone = BestRegions(torch.ones(1), torch.zeros(1, dtype=torch.int64), torch.zeros(1))
    vectors, rule = torch.zeros(1, 2), PresenceRule(5, 0.1, 0.01)
    found = find_presence(alone, torch.tensor([True]), vectors, rule)
    assert (found.unmet.tolist(), found.absent.tolist(), found.lacking) == ([0], [], 0)


def test_thresholds_themselves_do_not_pass() -> None:
    best = BestRegions(torch.zeros(2), torch.zeros(2, dtype=torch.int64), torch.tensor([0.5, 0.25]))
    rule = PresenceRule(2, 0.5, 0.25)
    found = find_presence(best, torch.tensor([True, False]), torch.eye(2), rule)
    assert (found.unmet.tolist(), found.absent.tolist()) == ([0], [1])
