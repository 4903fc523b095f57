from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from stages.labelling import near_synonyms
from stages.labelling.near_synonyms import NEAR, centred, with_near_synonyms

if TYPE_CHECKING:
    import pytest


def test_centred_embeddings_have_no_common_direction_and_length_1() -> None:
    rng = np.random.default_rng()
    rows = rng.normal(size=(20, 8)) + 3
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = units - units.mean(axis=0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(centred(rows * rng.uniform(1, 9, (20, 1))), expected, atol=1e-5)
    assert centred(np.ones((1, 4))).tolist() == [[0.0] * 4]  # nothing is left of one concept


def test_near_synonyms_of_what_is_chosen_are_chosen_too_and_theirs_are_not() -> None:
    angles = np.array([0.0, 0.7, 1.4, 3.0])  # neighbours have a cosine of 0.76
    vectors = torch.from_numpy(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    chosen = torch.tensor([True, False, False, False])
    assert with_near_synonyms(chosen, vectors).tolist() == [True, True, False, False]
    assert chosen.tolist() == [True, False, False, False]
    assert not with_near_synonyms(torch.zeros(4, dtype=torch.bool), vectors).any()


def test_any_number_of_chosen_concepts_is_widened_as_by_brute_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng()
    vectors = centred(rng.normal(size=(60, 4)))
    chosen = rng.random(60) < 0.3
    cosines = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    expected = chosen | (cosines[chosen] >= NEAR).any(axis=0)
    monkeypatch.setattr(near_synonyms, "_BLOCK", 7)
    widened = with_near_synonyms(torch.from_numpy(chosen), torch.from_numpy(vectors))
    assert widened.tolist() == expected.tolist()
