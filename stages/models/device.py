"""On which device torch computes, and with how many threads: options --device and --threads.

Where several cores share one operation, such as a convolution, they add up its numbers in an order
that depends on how many they are. So outside training each operation has one core, and other cores
compute other images: then results are the same bits on any number of cores.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import torch

from schemas.errors import OptionError
from stages.prefetching import map_in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
V = TypeVar("V")

_at_once = 1  # items that `in_order` computes


def resolve(device: str) -> torch.device:
    """The torch device that `device` names: cpu, cuda, cuda:N, or auto (CUDA if there is one).

    Raises:
        OptionError: If the name is unknown, or there is no such CUDA device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and (kind == "cpu" or not index.isdecimal())):
        raise OptionError(f"--device must be auto, cpu, cuda or cuda:N, got {device!r}")
    if kind == "cuda":
        _require_cuda(device, int(index or 0))
    return torch.device(device)


def _require_cuda(device: str, index: int) -> None:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= count:
        raise OptionError(
            f"--device {device} was asked for, but torch {torch.__version__} sees {count} CUDA "
            f"devices here; use --device cpu, or install a CUDA build of torch"
        )


def set_threads(threads: int | None) -> None:
    """Let `in_order` compute so many items at once; None: one. Each operation has one core."""
    global _at_once
    _at_once = threads or 1
    torch.set_num_threads(1)


def set_operation_threads(threads: int) -> None:
    """Let so many threads share each operation, of one item at a time; their number decides bits.

    It does not matter on how many cores they run.

    Raises:
        OptionError: If the environment would give fewer: oneDNN then waits for the others forever.
    """
    limit = os.environ.get("OMP_THREAD_LIMIT", "")
    dynamic = os.environ.get("OMP_DYNAMIC", "").lower() == "true"
    if threads > 1 and (dynamic or (limit.isdecimal() and int(limit) < threads)):
        given = "OMP_DYNAMIC=true" if dynamic else f"OMP_THREAD_LIMIT={limit}"
        raise OptionError(
            f"--threads {threads} may become fewer by {given} in the environment, and torch would "
            f"wait for them forever: unset it, or give --threads 1"
        )
    global _at_once
    _at_once = 1
    torch.set_num_threads(threads)


def in_order(items: Iterable[T], work: Callable[[T], V], where: torch.device) -> Iterator[V]:
    """Results of `work` in the order of `items`; on a CPU several at once, see `set_threads`.

    Args:
        items: Taken one by one, a few ahead.
        work: Pure, because it runs in threads.
        where: The device it computes on.
    """
    if where.type != "cpu" or _at_once == 1:
        return map(work, items)

    def alone(item: T) -> V:
        torch.set_num_threads(1)  # a thread that is new to torch would take all cores
        return work(item)

    return map_in_order(items, alone, _at_once, _at_once)


def deterministic() -> None:
    """Make equal inputs give equal bits on one device: full float32 and fixed CUDA algorithms."""
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
