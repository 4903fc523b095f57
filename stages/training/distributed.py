"""Gathering tensors of all ranks, with gradient; with one process nothing changes.

A rank is a process with its own images. Gradients are averaged over ranks afterwards, so a loss
over the rows of all ranks has the gradient that a single process would compute.

Shapes: W ranks, N rows of this rank, D width.

Source: RegionCLIP (arXiv:2112.09106), published code: image and caption features are gathered
with gradient and cut to the fewest rows of any rank; region losses stay on their rank.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed


def num_ranks() -> int:
    """Number of processes that train together; 1 without `torch.distributed`."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return int(distributed.get_world_size())


def gather_rows(rows: torch.Tensor) -> torch.Tensor:
    """Rows of all ranks, in order of rank; the gradient of a row goes back to its rank.

    Every rank must call this at the same step. Each rank gives as many rows as the rank with
    the fewest; further rows are left out, as in the published code.

    Args:
        rows: (N, D) of this rank; N may differ.

    Returns:
        (W n, D), n the smallest N; `rows` itself if there is one rank.
    """
    if num_ranks() == 1:
        return rows
    fewest = int(_counts(rows).min())
    if fewest == 0:
        return rows[:0]
    joined: torch.Tensor = _Gather.apply(rows[:fewest].contiguous())
    return joined


def gather_ids(ids: torch.Tensor) -> torch.Tensor:
    """All integers (N,) of all ranks, in order of rank, as (sum of N,); no gradient."""
    if num_ranks() == 1:
        return ids
    counts = _counts(ids)
    padded = ids.new_zeros(int(counts.max()))
    padded[: len(ids)] = ids
    gathered = _gather_equal(padded)
    return torch.cat([ids[:n] for ids, n in zip(gathered, counts.tolist(), strict=True)])


class _Gather(torch.autograd.Function):
    """Rows of all ranks, equally many of each; backward sums the gradients of all ranks.

    Each rank computes the same loss, so the sum is W times the gradient of that loss; averaging
    the gradients of parameters over ranks divides by W again.
    """

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor) -> torch.Tensor:
        ctx.rows = len(rows)
        return torch.cat(_gather_equal(rows))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].contiguous()
        distributed.all_reduce(total)
        first = distributed.get_rank() * ctx.rows
        return total[first : first + ctx.rows]


def _gather_equal(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The tensor of each rank; all have one shape."""
    tensors = [torch.empty_like(tensor) for _ in range(num_ranks())]
    distributed.all_gather(tensors, tensor)
    return tensors


def _counts(rows: torch.Tensor) -> torch.Tensor:
    """Number of rows of each rank, (W,)."""
    return torch.cat(_gather_equal(torch.tensor([len(rows)], device=rows.device)))
