"""Configuration of a training run: its length, its optimiser, its learning-rate schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.training.optimisers import OptimiserConfig
    from stages.training.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of one training run.

    Attributes:
        steps: Optimiser steps.
        optimiser: The optimiser and its settings.
        schedule: The factor of the learning rate at each step.
        seed: Of the random numbers that the network uses, such as dropout.
        log_every: Steps per row of the training log.
        checkpoint_every: Steps between checkpoints.
        average_decay: Of the exponential average that the network's weights become at the end; 0
            leaves them as they are. See `stages.training.weight_average`.
    """

    steps: int
    optimiser: OptimiserConfig
    schedule: Schedule
    seed: int = 0
    log_every: int = 50
    checkpoint_every: int = 200
    average_decay: float = 0.0
