"""On which device torch computes, and with how many threads: options --device and --threads."""

from __future__ import annotations

import torch

from schemas.errors import OptionError


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
    """Let torch use `threads` cores for one operation; None keeps torch's own choice."""
    if threads is not None:
        torch.set_num_threads(threads)


def deterministic() -> None:
    """Make equal inputs give equal bits on one device: full float32 and fixed CUDA algorithms."""
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
