"""Runs a function on two processes that train together."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed, multiprocessing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Work = Callable[[int], Any]


def on_two_ranks(work: Work, folder: Path) -> list[Any]:
    """What `work` returns on each of two ranks, given the rank; tensors, numbers and lists."""
    folder.mkdir(parents=True, exist_ok=True)
    multiprocessing.spawn(functools.partial(_enter, work, folder), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def averaged(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Gradients by name, averaged over ranks, as data-parallel training does."""
    means = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            mean = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
            distributed.all_reduce(mean)
            means[name] = mean / distributed.get_world_size()
    return means


def _enter(work: Work, folder: Path, rank: int) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    try:
        torch.save(work(rank), folder / f"{rank}.pt")
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
