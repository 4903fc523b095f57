"""Number format of a forward pass: float32 everywhere, or less where it is safe.

bfloat16 and float16 are torch's autocast: convolutions and matrix products take numbers of 16 bits,
what is sensitive stays in float32. tf32 rounds what these take to 10 bits of mantissa, and their
sums and results are float32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

import torch

from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

PRECISIONS: Final = ("float32", "bfloat16")  # of training
_TYPES: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_TF32: Final = (8, 0)  # compute capability from which on there is TF32


def chosen_precision(precision: str, device: torch.device) -> str:
    """What a precision is on a device: `auto` is bfloat16 on CUDA that computes it, else float32.

    Args:
        precision: float32, tf32, bfloat16, float16 or auto.
        device: Where the network is.

    Raises:
        OptionError: If the device cannot compute in it.
    """
    if precision == "auto":
        return "bfloat16" if device.type == "cuda" and _has_bfloat16() else "float32"
    if device.type != "cuda" and precision in ("tf32", "float16"):
        why = "no processor has it" if precision == "tf32" else "few processors compute in it"
        raise OptionError(
            f"--precision {precision} needs a CUDA device, since {why}; on {device} give "
            f"--precision float32 or bfloat16"
        )
    old = device.type == "cuda" and (
        (precision == "bfloat16" and not _has_bfloat16())
        or (precision == "tf32" and torch.cuda.get_device_capability(device) < _TF32)
    )
    if old:
        raise OptionError(
            f"{torch.cuda.get_device_name(device)} cannot compute in {precision}; "
            f"use --precision float32"
        )
    return precision


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """The context to run a network in; of one thread, and it can be entered several times.

    Args:
        precision: float32, bfloat16 or float16.
        device: Where the network is.

    Raises:
        OptionError: If the device cannot compute in it.
    """
    kind = _TYPES.get(chosen_precision(precision, device))
    return nullcontext() if kind is None else torch.autocast(device.type, dtype=kind)


@contextmanager
def computing_in(precision: str, device: torch.device) -> Iterator[None]:
    """Run a frozen network in a precision; what its block leaves is as it was before.

    The switches of TF32 are those of the process, so nothing that needs float32 belongs in the
    block, nor in another thread meanwhile, and a generator must not yield within it.

    Args:
        precision: As `chosen_precision` returned it.
        device: Where the network is.

    Raises:
        OptionError: If the device cannot compute in it.
    """
    if precision != "tf32":
        with autocast(precision, device):
            yield
        return
    chosen_precision(precision, device)
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = True
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def require_held(results: torch.Tensor, precision: str) -> None:
    """Pass if what a network gave is finite, or its precision has the range of float32.

    Args:
        results: Of any shape.
        precision: What they were computed in.

    Raises:
        OptionError: If they are beyond what float16 can hold.
    """
    if precision == "float16" and not bool(torch.isfinite(results).all()):
        raise OptionError(
            "what this network computes is not finite in float16, which ends at 65,504; give "
            "--precision bfloat16 or float32"
        )


def _has_bfloat16() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))
