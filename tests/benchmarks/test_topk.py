"""The error of distillation with K concepts."""

from __future__ import annotations

import torch

from benchmarks.topk import gradient, table


def unit_rows(rows: int, seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    vectors = torch.randn(rows, 6, generator=rng, dtype=torch.float64)
    return torch.nn.functional.normalize(vectors, dim=1)


def test_all_concepts_have_the_full_loss_and_fewer_have_less_mass() -> None:
    lines = table(unit_rows(20, 0), unit_rows(20, 1), unit_rows(10, 2), 0.5).splitlines()[2:]
    rows = [[float(cell) for cell in line.strip("|").split("|")] for line in lines]
    assert [row[0] for row in rows] == [1, 2, 4, 8, 10]
    mass = [row[1] for row in rows]
    assert mass == sorted(mass)
    _, last_mass, ratio, mean_error, median_error = rows[-1]
    assert (last_mass, ratio) == (1, 1)
    assert max(mean_error, median_error) < 1e-6 < rows[0][3]


def test_the_gradient_is_that_of_finite_differences() -> None:
    rows, weights = unit_rows(3, 3), unit_rows(3, 4)

    def loss(values: torch.Tensor) -> torch.Tensor:
        return (values**3 * weights).sum()

    value, actual = gradient(rows, loss)
    assert value == float(loss(rows))
    step = torch.zeros_like(rows)
    step[1, 2] = 1e-6
    expected = (loss(rows + step) - loss(rows - step)) / 2e-6
    torch.testing.assert_close(actual[1, 2], expected, atol=1e-6, rtol=1e-6)
