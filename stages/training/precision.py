"""Number format of a forward pass: float32 everywhere, or bfloat16 where it is safe."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from schemas.errors import OptionError

PRECISIONS = ("float32", "bfloat16")


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """The context to run a network in; it can be entered several times.

    Raises:
        OptionError: If the device cannot compute in bfloat16.
    """
    if precision == "float32":
        return nullcontext()
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise OptionError(
            f"{torch.cuda.get_device_name(device)} cannot compute in bfloat16; "
            f"use --precision float32"
        )
    return torch.autocast(device.type, dtype=torch.bfloat16)
