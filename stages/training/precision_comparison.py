"""What the precisions of training cost on this machine: some steps of a small network, timed.

A step is what training does: convolutions and matrix products, forward and backward, under the
autocast that `--precision` sets. Processors without bfloat16 of their own emulate it slowly. Steps
are short, use one thread and are timed by what the processor spends on them, so that other programs
do not decide; the fastest of each counts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from stages.models import device as devices
from stages.models.precision import PRECISIONS, autocast

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS: Final = 2.0  # of a measurement, unless two steps of each precision take longer
_EQUAL: Final = 1.1  # times as long, or less, is as long


@dataclass(frozen=True)
class PrecisionCost:
    """Seconds of the fastest step of each precision."""

    float32: float
    bfloat16: float

    def sentence(self) -> str:
        """Which precision to take here, and why.

        >>> PrecisionCost(0.01, 0.091).sentence()
        'bfloat16 takes 9.1 times as long as float32 here: keep --precision float32'
        """
        ratio = self.bfloat16 / self.float32
        if ratio > _EQUAL:
            said = f"bfloat16 takes {ratio:.1f} times as long as float32 here"
            return f"{said}: keep --precision float32"
        if ratio * _EQUAL < 1:
            said = f"float32 takes {1 / ratio:.1f} times as long as bfloat16 here"
            return f"{said}: train with --precision bfloat16"
        return "bfloat16 takes as long as float32 here: keep --precision float32"


def measure_precisions(
    device: str = "auto",
    seconds: float = _SECONDS,
    clock: Callable[[], float] = time.perf_counter,
    spent: Callable[[], float] = time.process_time,
) -> PrecisionCost:
    """Time steps of both precisions in turn; after one of each to warm up, at least one of each.

    Args:
        device: As `stages.models.device.resolve` takes it.
        seconds: No further step begins after so many.
        clock: Seconds since any moment; times the steps of a GPU too.
        spent: Seconds that the processor has spent on this program.

    Raises:
        OptionError: If the device cannot compute in bfloat16.
    """
    devices.deterministic()
    where = devices.resolve(device)
    step, timer = _TimedStep(where), spent if where.type == "cpu" else clock
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        end = clock() + seconds
        for precision in PRECISIONS:
            step(precision)
        now = clock()
        fastest = dict.fromkeys(PRECISIONS, float("inf"))
        while now < end or float("inf") in fastest.values():
            for precision in PRECISIONS:
                start = timer()
                step(precision)
                fastest[precision] = min(timer() - start, fastest[precision])
            now = clock()
    finally:
        torch.set_num_threads(threads)
    return PrecisionCost(**fastest)


class _TimedStep:
    """A training step of a small network on one batch."""

    def __init__(self, device: torch.device) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self._network = nn.Sequential(
                nn.Conv2d(3, 32, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(32, 64, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(64, 64, 3, padding=1),
                nn.Flatten(2),  # (B, 64, 144)
                nn.Linear(144, 512),
                nn.GELU(),
                nn.Linear(512, 144),
            ).to(device)
            self._pixels = torch.rand(4, 3, 48, 48).to(device)
        self._device = device

    def __call__(self, precision: str) -> None:
        """Forward and backward, until the device is done."""
        self._network.zero_grad()
        with autocast(precision, self._device):
            loss = self._network(self._pixels).float().square().mean()
        loss.backward()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
