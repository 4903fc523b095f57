"""What the ranks of a training run say to each other; with one process all of it changes nothing.

A rank is a process with its own images of each batch. Every function here must be called by all
ranks, in the same order. Nothing here carries gradient: see `stages.training.batch_gradient`.

Shapes: W ranks, N rows of this rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_BUCKET: Final = 1 << 23  # numbers that are summed by one message: 32 MB in float32


def num_ranks() -> int:
    """Number of processes that train together; 1 without `torch.distributed`."""
    return int(distributed.get_world_size()) if _together() else 1


def rank() -> int:
    """The number of this process among them; 0 without `torch.distributed`."""
    return int(distributed.get_rank()) if _together() else 0


def largest(numbers: Sequence[int]) -> list[int]:
    """The largest of each number over all ranks."""
    if num_ranks() == 1:
        return list(numbers)
    most = torch.tensor(numbers, device=_device())
    distributed.all_reduce(most, distributed.ReduceOp.MAX)
    return [int(number) for number in most]


def gather_rows(rows: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Rows of all ranks, in order of rank, and the index of the first of this rank.

    Args:
        rows: (N, ...) of this rank; N may differ and may be 0. Where N is 0, the other lengths do
            not matter; else they are equal.

    Returns:
        (sum of N, ...), without gradient; and an index. `rows` itself if there is one rank.
    """
    if num_ranks() == 1:
        return rows.detach(), 0
    shapes = torch.stack(_gather_equal(torch.tensor(rows.shape, device=_device()))).tolist()
    counts = [shape[0] for shape in shapes]
    padded = rows.new_zeros(max(counts), *max(shapes, key=lambda shape: shape[0])[1:])
    if len(rows):
        padded[: len(rows)] = rows.detach()
    gathered = zip(_gather_equal(padded), counts, strict=True)
    return torch.cat([of_rank[:count] for of_rank, count in gathered]), sum(counts[: rank()])


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give each parameter the sum of its gradients on all ranks; none where no rank has one."""
    if num_ranks() == 1:
        return
    trained = [p for p in parameters if p.requires_grad]
    known = largest([int(p.grad is not None) for p in trained])
    for bucket in _buckets([p for p, anywhere in zip(trained, known, strict=True) if anywhere]):
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in bucket]
        total = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(total)
        sums = torch.split(total, [gradient.numel() for gradient in gradients])
        for parameter, gradient, of_all in zip(bucket, gradients, sums, strict=True):
            parameter.grad = gradient.copy_(of_all.view_as(gradient))


def from_first_rank(value: Any) -> Any:
    """What rank 0 calls with: tensors, numbers, lists, dictionaries."""
    if num_ranks() == 1:
        return value
    holder = [value]
    distributed.broadcast_object_list(holder, device=_device())
    return holder[0]


@torch.no_grad()
def share_state(module: torch.nn.Module) -> None:
    """Give the module of each rank the parameters and buffers of rank 0."""
    if num_ranks() == 1:
        return
    for value in (*module.parameters(), *module.buffers()):
        same = value.detach().contiguous()
        distributed.broadcast(same, 0)
        value.copy_(same)


def _together() -> bool:
    return bool(distributed.is_available() and distributed.is_initialized())


def _device() -> torch.device:
    """Where numbers are put that are sent: on the CPU, unless nothing but NCCL sends them."""
    if distributed.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def _gather_equal(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The tensor of each rank; all have one shape."""
    tensors = [torch.empty_like(tensor) for _ in range(num_ranks())]
    distributed.all_gather(tensors, tensor)
    return tensors


def _buckets(parameters: Sequence[torch.nn.Parameter]) -> Iterator[list[torch.nn.Parameter]]:
    """Parameters in order, as many at a time as one message holds; at least one."""
    bucket: list[torch.nn.Parameter] = []
    for parameter in parameters:
        if bucket and sum(p.numel() for p in (*bucket, parameter)) > _BUCKET:
            yield bucket
            bucket = []
        bucket.append(parameter)
    if bucket:
        yield bucket
