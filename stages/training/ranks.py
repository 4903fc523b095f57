"""Ranks: what the processes that train together show each other; alone, all is as it was.

A rank is a process with images of its own. Gradients are averaged over ranks afterwards, so
that a loss over what all of them hold gives the gradient one process would have found.

Shapes: W ranks, N rows of this rank, D width.

Source: RegionCLIP (arXiv:2112.09106), published code: image and caption features are gathered
with gradient and cut to the fewest rows of any rank; region losses stay on their rank.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed


def num_ranks() -> int:
    """How many processes train together; 1 where none was told of others."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return int(distributed.get_world_size())


def gathered(rows: torch.Tensor) -> torch.Tensor:
    """Rows of all ranks, in order of rank, with a gradient to each one's own.

    Every rank has to call this at the same step. What a rank has more than the one with the
    fewest is left out, as in the published code.

    Args:
        rows: (N, D) of this rank; N may differ.

    Returns:
        (W n, D) where n is the least N; `rows` themselves where there is one rank.
    """
    if num_ranks() == 1:
        return rows
    fewest = int(_counts(rows).min())
    if fewest == 0:
        return rows[:0]
    joined: torch.Tensor = _Gather.apply(rows[:fewest].contiguous())
    return joined


def gathered_ids(ids: torch.Tensor) -> torch.Tensor:
    """Integers (N,) of all ranks, in order of rank, none left out; no gradient. (sum of N,)."""
    if num_ranks() == 1:
        return ids
    counts = _counts(ids)
    padded = ids.new_zeros(int(counts.max()))
    padded[: len(ids)] = ids
    shares = _all(padded)
    return torch.cat([share[:count] for share, count in zip(shares, counts.tolist(), strict=True)])


class _Gather(torch.autograd.Function):
    """All ranks' rows, equally many of each; the gradients of all ranks add up on the way back.

    Each rank computes the same loss, so the sum is W times the gradient of that loss; averaging
    the parameters' gradients over ranks divides by W again.
    """

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor) -> torch.Tensor:
        ctx.rows = len(rows)
        return torch.cat(_all(rows))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].contiguous()
        distributed.all_reduce(total)
        first = distributed.get_rank() * ctx.rows
        return total[first : first + ctx.rows]


def _all(tensor: torch.Tensor) -> list[torch.Tensor]:
    shares = [torch.empty_like(tensor) for _ in range(num_ranks())]
    distributed.all_gather(shares, tensor)
    return shares


def _counts(rows: torch.Tensor) -> torch.Tensor:
    """How many rows each rank has, (W,)."""
    return torch.cat(_all(torch.tensor([len(rows)], device=rows.device)))
