"""The largest values of rows, in an order that equal values do not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stages.labelling.concept_ranking import sort_pairs, top_concepts


def test_top_concepts_break_every_tie_by_index() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 4, (300, 40), generator=generator).float()
    expected = np.argsort(-scores.numpy(), axis=1, kind="stable")
    for count in (1, 3, 10, 39, 40, 60):
        values, indices = top_concepts(scores, count)
        np.testing.assert_array_equal(indices.numpy(), expected[:, :count])
        torch.testing.assert_close(values, scores.gather(1, indices))


@pytest.mark.parametrize(("columns", "count"), [(400, 3), (401, 20), (407, 24), (1000, 62), (9, 1)])
def test_top_concepts_equal_a_stable_sort_of_all_columns(columns, count) -> None:
    generator = torch.Generator().manual_seed(columns)
    smooth = torch.randn(40, columns, generator=generator, dtype=torch.float64)
    for scores in (smooth, smooth.round(decimals=1), smooth.round(), torch.zeros(3, columns)):
        expected = np.argsort(-scores.numpy(), axis=1, kind="stable")[:, :count]
        np.testing.assert_array_equal(top_concepts(scores, count)[1].numpy(), expected)


def test_pairs_are_sorted_by_value_and_of_equal_value_by_index() -> None:
    values = torch.tensor([[1.0, 3.0, 1.0, 3.0]])
    sorted_values, indices = sort_pairs(values, torch.tensor([[9, 8, 2, 5]]))
    assert (sorted_values.tolist(), indices.tolist()) == ([[3, 3, 1, 1]], [[5, 8, 2, 9]])
