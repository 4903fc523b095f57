"""Independent probabilities of concepts, against the textbook in float64, in blocks of any size."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from stages.labelling.concept_matching import match_concepts
from stages.labelling.sigmoid_matches import SigmoidMatches

if TYPE_CHECKING:
    from stages.labelling.concept_matches import ConceptMatches


def unit(rows: int, width: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, width, generator=generator, dtype=torch.float64), dim=1)


def textbook(
    cosines: np.ndarray, temperature: float, bias: float, top_k: int
) -> dict[str, np.ndarray]:
    """Probabilities, products and entropies as they are defined, region by region."""
    rows = []
    for values in cosines.tolist():
        order = sorted(range(len(values)), key=lambda c, values=values: (-values[c], c))
        p = [1 / (1 + math.exp(-(v / temperature + bias))) for v in values]
        best, rest = [p[c] for c in order[:top_k]], [p[c] for c in order[top_k:]]
        row = {
            "indices": order[:top_k],
            "cosines": [values[c] for c in order[:top_k]],
            "probabilities": best,
            "residual": 1 - math.prod(1 - q for q in rest),
            "margin": p[order[0]] - (p[order[1]] if len(p) > 1 else 0),
            "entropy": sum(-q * math.log(q) for c in p for q in (c, 1 - c) if q > 0),
        }
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def values_of(matches: ConceptMatches) -> dict[str, np.ndarray]:
    return {f.name: getattr(matches, f.name).numpy() for f in fields(matches)}


@pytest.mark.parametrize("block", [(1, 7), (5, 1), (8, 64), (100, 10_000)])
@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (0.1, -2.5), (0.01, -16.5)])
def test_matches_are_the_textbook_sigmoids_for_any_block_size(temperature, bias, block) -> None:
    features, embeddings = unit(11, 16, 23), unit(101, 16, 24)
    matches = match_concepts(features, embeddings, temperature, 5, block, bias)
    expected = textbook((features @ embeddings.T).numpy(), temperature, bias, 5)
    for name, values in values_of(matches).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-7, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("top_k", [1, 2, 6, 7, 99])
def test_any_number_of_concepts_can_be_kept(top_k) -> None:
    features, embeddings = unit(4, 8, 0), unit(7, 8, 1)
    matches = match_concepts(features, embeddings, 0.1, top_k, (4, 3), -1.0)
    expected = textbook((features @ embeddings.T).numpy(), 0.1, -1.0, top_k)
    for name, values in values_of(matches).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-7, atol=1e-12, err_msg=name)


def test_a_region_may_be_none_of_the_concepts_or_several() -> None:
    embeddings = torch.eye(4)
    nothing = match_concepts(-embeddings[:1], embeddings, 0.1, 2, bias=-3.0)
    assert nothing.probabilities.max() < 0.05
    both = F.normalize(embeddings[:1] + embeddings[1:2], dim=1)
    several = match_concepts(both, embeddings, 0.1, 2, bias=-3.0)
    assert several.probabilities.min() > 0.95
    assert several.margin.item() == 0


def test_a_single_concept_has_its_own_probability_and_nothing_is_left() -> None:
    dog = torch.tensor([[1.0, 0.0]])
    matches = match_concepts(dog, dog, 0.5, 16, bias=-1.0)
    assert matches.probabilities.tolist() == [[pytest.approx(1 / (1 + math.exp(-1)))]]
    assert matches.margin.tolist() == matches.probabilities[0].tolist()
    assert matches.residual.tolist() == [0.0]


@pytest.mark.parametrize("block", [(1, 1), (1, 2), (9, 100)])
def test_of_equal_concepts_the_lowest_index_comes_first_even_where_all_are_certain(block) -> None:
    dog, cat = [1.0, 0.0], [0.6, 0.8]
    embeddings = torch.tensor([cat, dog, cat, dog, dog])
    matches = match_concepts(torch.tensor([dog]), embeddings, 0.001, 3, block, 100.0)
    assert matches.probabilities.tolist() == [[1.0, 1.0, 1.0]]
    assert matches.indices.tolist() == [[1, 3, 4]]
    assert (matches.residual.item(), matches.margin.item(), matches.entropy.item()) == (1, 0, 0)


def test_extremes_neither_overflow_nor_lose_small_residuals() -> None:
    features, embeddings = unit(20, 8, 6).float(), unit(90, 8, 7).float()
    for bias in (-1e4, 1e4, 0.0):
        matches = match_concepts(features, embeddings, 1e-6, 4, (7, 11), bias)
        for name in ("probabilities", "residual", "margin", "entropy"):
            assert torch.isfinite(getattr(matches, name)).all(), name
    small = match_concepts(torch.eye(3)[:1], torch.eye(3), 1.0, 1, bias=-20.0)
    assert small.residual.item() == pytest.approx(2 * np.exp(-20), rel=1e-5)  # 1 - p is 1 here


def test_single_precision_is_close_to_double() -> None:
    features, embeddings = unit(32, 64, 4), unit(400, 64, 5)
    matches = match_concepts(features.float(), embeddings.float(), 0.02, 8, (20, 128), -10.0)
    expected = match_concepts(features, embeddings, 0.02, 8, bias=-10.0)
    for name in ("probabilities", "residual", "margin", "entropy"):
        actual = getattr(matches, name).double()
        torch.testing.assert_close(actual, getattr(expected, name), rtol=1e-3, atol=1e-5)


def test_without_regions_matches_are_empty() -> None:
    matches = SigmoidMatches.start(torch.zeros(0, 4), 2, 0.1, -1.0).add(torch.zeros(0, 5), 0)
    assert matches.finish(2).indices.shape == (0, 2)
