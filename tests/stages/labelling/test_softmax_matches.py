"""A softmax over concepts that come in blocks; more in test_concept_matching.py."""

from __future__ import annotations

import numpy as np
import torch

from stages.labelling.softmax_matches import SoftmaxMatches


def test_blocks_in_any_order_of_size_of_their_cosines_give_one_softmax() -> None:
    cosines = torch.tensor([[0.1, 0.5, -0.3, 0.5, 0.2], [0.9, -0.9, 0.0, 0.3, 0.95]]).double()
    running = SoftmaxMatches.start(torch.zeros(2, 7, dtype=torch.float64), 2, 0.2)
    for first, last in ((0, 1), (1, 4), (4, 5)):
        running = running.add(cosines[:, first:last].clone(), first)
    matches = running.finish(2)
    p = np.exp(cosines.numpy() / 0.2)
    p /= p.sum(axis=1, keepdims=True)
    assert matches.indices.tolist() == [[1, 3], [4, 0]]
    best = np.take_along_axis(p, matches.indices.numpy(), axis=1)
    np.testing.assert_allclose(matches.probabilities.numpy(), best, rtol=1e-12)
    np.testing.assert_allclose(matches.residual.numpy(), 1 - best.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(matches.entropy.numpy(), -(p * np.log(p)).sum(axis=1), rtol=1e-12)
