"""Learning rates: linear warm-up, then constant, in steps, or along a cosine.

Source: detectron2's WarmupMultiStepLR, whose values RegionCLIP used (warm-up from a
thousandth, times 0.1 at each milestone).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

FIRST_FACTOR = 1e-3  # of the warm-up, as published
STEP_FACTOR = 0.1  # at each milestone, as published
_SLACK = 1e-3  # steps: a milestone of two thirds is step 60,000 of 90,000, however it was rounded


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The factor of the learning rate at each step.

    Attributes:
        kind: "constant", "steps" or "cosine".
        steps: Length of the run.
        warmup: Steps of linear warm-up; at most a tenth of the run.
        milestones: Shares of the run in [0, 1] after which "steps" drops to a tenth.
    """

    kind: Literal["steps", "cosine", "constant"]
    steps: int
    warmup: int = 0
    milestones: tuple[float, ...] = ()

    def factor(self, step: int) -> float:
        """The factor at step 0, 1, ...; in (0, 1] before the last step.

        >>> schedule = Schedule(kind="steps", steps=100, milestones=(0.5, 0.875))
        >>> [round(schedule.factor(step), 4) for step in (0, 49, 50, 88)]
        [1.0, 1.0, 0.1, 0.01]
        """
        return self._warmup_factor(step) * self._decay_factor(step)

    def _warmup_factor(self, step: int) -> float:
        warmup = min(self.warmup, self.steps // 10)
        if step >= warmup:
            return 1.0
        share = step / warmup
        return FIRST_FACTOR * (1 - share) + share

    def _decay_factor(self, step: int) -> float:
        if self.kind == "cosine":
            return (1 + math.cos(math.pi * step / self.steps)) / 2
        if self.kind == "steps":
            passed = sum(step >= share * self.steps - _SLACK for share in self.milestones)
            return math.pow(STEP_FACTOR, passed)
        return 1.0
