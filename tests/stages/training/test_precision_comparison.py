"""What the precisions of training cost, by a clock that the test turns."""

from __future__ import annotations

from itertools import accumulate, chain, repeat
from typing import TYPE_CHECKING

import pytest
import torch

from stages.training import precision_comparison
from stages.training.precision_comparison import PrecisionCost, measure_precisions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def clock_of(steps: Iterable[float], warm_up: float = 0.25) -> Callable[[], float]:
    """A clock on which only steps take time: two to warm up together, then each of `steps`."""
    passed = chain([0.0, warm_up], chain.from_iterable((0.0, step) for step in steps))
    times = accumulate(passed)
    return lambda: next(times)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The precisions of the steps that were taken; they compute nothing."""
    taken: list[str] = []
    monkeypatch.setattr(precision_comparison, "_TimedStep", lambda _device: taken.append)
    return taken


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
    steps: list[str], float32: float, bfloat16: float, sentence: str
) -> None:
    slower = [float32 * 3, bfloat16 * 2]  # the first pair meets another program
    cost = measure_precisions("cpu", 9.0, clock_of(slower + [float32, bfloat16] * 40))
    assert (cost.float32, cost.bfloat16) == (pytest.approx(float32), pytest.approx(bfloat16))
    assert cost.sentence() == sentence
    assert set(zip(steps[::2], steps[1::2], strict=True)) == {("float32", "bfloat16")}


@pytest.mark.parametrize(
    ("step", "pairs"),
    [(10.0, 1), (0.5, 2), (0.25, 4)],  # after 0.25 seconds of warming up, of 2
)
def test_no_step_begins_after_the_time_is_over(steps: list[str], step: float, pairs: int) -> None:
    measure_precisions("cpu", 2.0, clock_of(repeat(step)))
    assert len(steps) == 2 + 2 * pairs


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
