"""What ranks gather, on one process and on two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from stages.training.ranks import gathered, gathered_ids, num_ranks
from tests.stages.training.two_ranks import on_two_ranks

if TYPE_CHECKING:
    from pathlib import Path


def test_one_process_gathers_what_it_has() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert num_ranks() == 1
    assert gathered(rows) is rows
    assert gathered_ids(rows) is rows


def _rows(rank: int) -> torch.Tensor:
    count = 3 if rank == 0 else 2
    return torch.arange(2.0 * count).view(count, 2) + 10 * rank


def _gather(rank: int) -> dict[str, Any]:
    rows = _rows(rank).requires_grad_()
    joined = gathered(rows)
    weights = torch.arange(1.0, 9.0).view(4, 2)
    (joined * weights).sum().backward()
    ids = torch.tensor([7, 7, 1]) if rank == 0 else torch.tensor([4])
    none = gathered(rows[:0] if rank == 0 else rows)
    no_ids = gathered_ids(ids[:0] if rank == 0 else ids)
    return {
        "ranks": num_ranks(),
        "joined": joined.detach(),
        "gradient": rows.grad,
        "ids": gathered_ids(ids),
        "none": none.detach(),
        "one": no_ids,
    }


def test_two_ranks_gather_the_same_rows_and_share_the_gradient(tmp_path: Path) -> None:
    first, second = on_two_ranks(_gather, tmp_path)
    joined = torch.cat([_rows(0)[:2], _rows(1)])
    for given in (first, second):
        assert given["ranks"] == 2
        assert torch.equal(given["joined"], joined)  # as many of each as the fewest
        assert given["ids"].tolist() == [7, 7, 1, 4]
        assert given["none"].shape == (0, 2)
        assert given["one"].tolist() == [4]
    # each of two ranks sends its gradient back, so the sum is twice that of one
    assert first["gradient"].tolist() == [[2.0, 4.0], [6.0, 8.0], [0.0, 0.0]]
    assert second["gradient"].tolist() == [[10.0, 12.0], [14.0, 16.0]]
