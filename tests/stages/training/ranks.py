"""Runs a function on several processes that train together."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed, multiprocessing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Work = Callable[[int], Any]


def on_ranks(work: Work, folder: Path, count: int = 2) -> list[Any]:
    """What `work` returns on each of several ranks, given the rank; tensors, numbers and lists."""
    folder.mkdir(parents=True, exist_ok=True)
    multiprocessing.spawn(functools.partial(_enter, work, folder, count), nprocs=count)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(count)]


def _enter(work: Work, folder: Path, count: int, rank: int) -> None:
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
    try:
        torch.save(work(rank), folder / f"{rank}.pt")
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
