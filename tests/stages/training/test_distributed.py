"""Gathering rows and ids, with one process and with two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from stages.training.distributed import gather_ids, gather_rows, num_ranks
from tests.stages.training.two_ranks import on_two_ranks

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_a_single_process_gathers_its_own_rows() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert num_ranks() == 1
    assert gather_rows(rows) is rows
    assert gather_ids(rows) is rows


def _rows(rank: int) -> torch.Tensor:
    count = 3 if rank == 0 else 2
    return torch.arange(2.0 * count).view(count, 2) + 10 * rank


def _gather(rank: int) -> dict[str, Any]:
    rows = _rows(rank).requires_grad_()
    joined = gather_rows(rows)
    weights = torch.arange(1.0, 9.0).view(4, 2)
    (joined * weights).sum().backward()
    ids = torch.tensor([7, 7, 1]) if rank == 0 else torch.tensor([4])
    no_rows = gather_rows(rows[:0] if rank == 0 else rows)
    ids_of_one = gather_ids(ids[:0] if rank == 0 else ids)
    return {
        "ranks": num_ranks(),
        "joined": joined.detach(),
        "gradient": rows.grad,
        "ids": gather_ids(ids),
        "no_rows": no_rows.detach(),
        "ids_of_one": ids_of_one,
    }


def test_two_ranks_gather_the_same_rows_and_share_the_gradient(tmp_path: Path) -> None:
    first, second = on_two_ranks(_gather, tmp_path)
    joined = torch.cat([_rows(0)[:2], _rows(1)])
    for result in (first, second):
        assert result["ranks"] == 2
        assert torch.equal(result["joined"], joined)  # as many of each as the fewest
        assert result["ids"].tolist() == [7, 7, 1, 4]
        assert result["no_rows"].shape == (0, 2)
        assert result["ids_of_one"].tolist() == [4]
    # each of two ranks sends its gradient back, so the sum is twice that of one
    assert first["gradient"].tolist() == [[2.0, 4.0], [6.0, 8.0], [0.0, 0.0]]
    assert second["gradient"].tolist() == [[10.0, 12.0], [14.0, 16.0]]
