"""When a network computes in bfloat16, and when that is refused."""

from __future__ import annotations

import pytest
import torch

from schemas.errors import OptionError
from stages.training.precision import autocast

CPU = torch.device("cpu")


def product() -> torch.Tensor:
    return torch.ones(2, 2) @ torch.ones(2, 2)


def test_float32_stays_float32() -> None:
    with autocast("float32", CPU):
        assert product().dtype == torch.float32


def test_a_context_can_be_entered_twice_and_ends_each_time() -> None:
    context = autocast("bfloat16", CPU)
    for _ in range(2):
        with context:
            assert product().dtype == torch.bfloat16
        assert product().dtype == torch.float32


def test_a_device_without_bfloat16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **how: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "an old card")
    with pytest.raises(OptionError, match="an old card cannot compute in bfloat16"):
        autocast("bfloat16", torch.device("cuda"))
