"""What the precisions of training cost, by a clock that the test turns."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest
import torch

from stages.training import precision_comparison
from stages.training.precision_comparison import PrecisionCost, measure_precisions

if TYPE_CHECKING:
    from collections.abc import Iterable

NUM_THREADS = torch.get_num_threads()


class FakeMachine:
    """A clock that only steps move: by the next of the given seconds of their precision."""

    def __init__(self, **seconds: Iterable[float]) -> None:
        self.seconds = {precision: iter(steps) for precision, steps in seconds.items()}
        self.taken: list[str] = []
        self.now = 100.0

    def step(self, precision: str) -> None:
        self.taken.append(precision)
        self.now += next(self.seconds[precision])

    def cost(self, monkeypatch: pytest.MonkeyPatch, limit: float) -> PrecisionCost:
        monkeypatch.setattr(precision_comparison, "_TimedStep", lambda _device: self.step)
        return measure_precisions("cpu", limit, lambda: self.now, lambda: self.now)


@pytest.mark.parametrize(
    ("float32", "bfloat16", "sentence"),
    [
        (0.25, 2.275, "bfloat16 takes 9.1 times as long as float32 here: keep --precision float32"),
        (0.25, 0.26, "bfloat16 takes as long as float32 here: keep --precision float32"),
        (0.25, 0.24, "bfloat16 takes as long as float32 here: keep --precision float32"),
        (
            0.45,
            0.25,
            "float32 takes 1.8 times as long as bfloat16 here: train with --precision bfloat16",
        ),
    ],
)
def test_the_advice_is_the_faster_precision_and_float32_if_neither_is(
    monkeypatch: pytest.MonkeyPatch, float32: float, bfloat16: float, sentence: str
) -> None:
    slow = [0.01, 3.0]  # to warm up, which does not count; and a step beside another program
    machine = FakeMachine(
        float32=chain(slow, repeat(float32)), bfloat16=chain(slow, repeat(bfloat16))
    )
    cost = machine.cost(monkeypatch, limit=20.0)
    assert (cost.float32, cost.bfloat16) == (pytest.approx(float32), pytest.approx(bfloat16))
    assert cost.sentence() == sentence
    pairs = zip(machine.taken[::2], machine.taken[1::2], strict=True)
    assert set(pairs) == {("float32", "bfloat16")}


@pytest.mark.parametrize(("step", "pairs"), [(10.0, 2), (0.5, 2), (0.25, 4)])
def test_a_measurement_ends_when_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch, step: float, pairs: int
) -> None:
    machine = FakeMachine(float32=repeat(step), bfloat16=repeat(step))
    machine.cost(monkeypatch, limit=2.0)
    assert len(machine.taken) == 2 * pairs  # the first pair warms up
    assert torch.get_num_threads() == NUM_THREADS


@pytest.mark.slow
def test_a_real_step_computes_in_its_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[torch.dtype] = []
    real = torch.nn.functional.gelu

    def seen(features: torch.Tensor, approximate: str = "none") -> torch.Tensor:
        kinds.append(features.dtype)
        return real(features, approximate=approximate)

    monkeypatch.setattr(torch.nn.functional, "gelu", seen)
    cost = measure_precisions("cpu", seconds=0.0)
    assert kinds == [torch.float32, torch.bfloat16] * 2
    assert cost.float32 > 0
    assert cost.bfloat16 > 0
    assert isinstance(cost, PrecisionCost)
